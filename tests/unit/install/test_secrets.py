import shlex
import stat
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from coinrequest.install.secrets import ensure_secrets
from coinrequest.stack import Stack
from coinrequest.stack.layout import Layout
from coinrequest.stack.ports import choose_ports


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "a folder")
    layout.create()
    return layout


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_private_and_all_different(layout: Layout) -> None:
    secrets = ensure_secrets(layout.secrets)
    assert mode(layout.secrets) == 0o600
    assert len(set(asdict(secrets).values())) == len(asdict(secrets))
    assert len(secrets.jwt_secret) >= 64


def test_secrets_stay_the_same_over_a_second_start(layout: Layout) -> None:
    assert ensure_secrets(layout.secrets) == ensure_secrets(layout.secrets)


def test_a_missing_secret_is_added_and_the_others_stay(layout: Layout) -> None:
    first = ensure_secrets(layout.secrets)
    layout.secrets.write_text(layout.secrets.read_text().replace('"viewer"', '"forgotten"'))
    second = ensure_secrets(layout.secrets)
    assert second.viewer != first.viewer
    assert asdict(second) | {"viewer": ""} == asdict(first) | {"viewer": ""}


def test_the_permissions_of_the_file_are_restored(layout: Layout) -> None:
    ensure_secrets(layout.secrets)
    layout.secrets.chmod(0o644)
    ensure_secrets(layout.secrets)
    assert mode(layout.secrets) == 0o600


def test_the_repr_shows_no_secret(layout: Layout) -> None:
    secrets = ensure_secrets(layout.secrets)
    assert secrets.redis not in repr(secrets)


def test_folders_with_private_content_are_closed(layout: Layout) -> None:
    assert mode(layout.logs) == 0o700
    assert mode(layout.run) == 0o700


def test_a_shell_can_read_the_env_file(layout: Layout) -> None:
    stack = Stack(layout.root)
    ports, _ = choose_ports(layout)
    stack.write_env()
    assert mode(layout.env) == 0o600
    names = [
        "COINREQUEST_URL",
        "COINREQUEST_USERNAME",
        "COINREQUEST_PASSWORD",
        "COINREQUEST_OP_USERNAME",
        "COINREQUEST_USER_PASSWORD",
        "COINREQUEST_VIEWER_PASSWORD",
    ]
    shown = " ".join(f'"${name}"' for name in names)
    script = f". {shlex.quote(str(layout.env))} && printf '%s\\n' {shown}"
    answer = subprocess.run(["/bin/sh", "-euc", script], check=True, capture_output=True, text=True, env={})
    assert answer.stdout.splitlines() == [
        f"http://127.0.0.1:{ports.web}",
        "admin",
        stack.credentials("admin").password,
        "op",
        stack.credentials("user").password,
        stack.credentials("viewer").password,
    ]
