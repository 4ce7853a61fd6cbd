"""The example of an override for development: the source over the image's, and a restart when it changes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.compose import ROOT, ComposeStack, left_of
from support.compose_file import Document, check_schema, findings, merged, read
from support.waiting import eventually

pytestmark = pytest.mark.containers

EXAMPLE = "docker-compose.override.example.yaml"
FOLDERS = ("coinrequest", "dags", "plugins", "config", "docker")
SERVICES = {"migrate", "api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent"}
# Tags can be moved; the digests of a machine for development are not worth their upkeep. RabbitMQ writes its
# configuration beside its data.
ACCEPTED = {"CL-0019", "CL-0007"}


@pytest.fixture(scope="module")
def files() -> Document:
    return merged(("docker-compose.yaml", EXAMPLE), {})


def test_the_example_is_a_compose_file(tmp_path: Path) -> None:
    check_schema(read(ROOT / EXAMPLE), tmp_path)


def test_together_they_are_one_and_lint_finds_only_what_is_listed(files: Document, tmp_path: Path) -> None:
    check_schema(files, tmp_path)
    found = findings(files, tmp_path)
    assert {rule for _, rule, _ in found} <= ACCEPTED, found
    assert {service for _, rule, service in found if rule == "CL-0007"} <= {"rabbitmq"}


def test_the_source_is_mounted_for_reading_only(files: Document) -> None:
    for name in SERVICES:
        mounts = {mount["source"]: mount for mount in files["services"][name]["volumes"] if mount["type"] == "bind"}
        assert set(mounts) == {str(ROOT / folder) for folder in FOLDERS}, name
        assert all(mount["read_only"] for mount in mounts.values()), name


def test_the_copy_never_reaches_the_repository() -> None:
    assert "/docker-compose.override.yaml" in (ROOT / ".gitignore").read_text().splitlines()


def test_debugging_is_off_unless_asked_for(files: Document) -> None:
    environment = files["services"]["api-server"]["environment"]
    assert environment["AIRFLOW__LOGGING__LOGGING_LEVEL"] is None
    assert environment["AIRFLOW__API__EXPOSE_STACKTRACE"] is None
    asked = merged(("docker-compose.yaml", EXAMPLE), {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"})
    assert asked["services"]["agent"]["environment"]["AIRFLOW__LOGGING__LOGGING_LEVEL"] == "DEBUG"


# -- the restart, without an engine ------------------------------------------------------------------------


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "module.py").write_text("VALUE = 1\n")
    return folder


# Ends a little after it was asked to, as an agent with a running job does.
PATIENT = """
echo started >> "$0"
trap 'sleep 1; echo drained >> "$0"; exit 3' TERM
while true; do sleep 0.1; done
"""


@pytest.fixture
def reloading(watched: Path, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = ["--", "sh", "-c", PATIENT, str(tmp_path / "log")]
    process = subprocess.Popen([sys.executable, str(ROOT / "docker" / "reload.py"), str(watched), *command])
    try:
        eventually(lambda: lines(tmp_path) == ["started"])
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)


def lines(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().split() if log.exists() else []


def test_a_change_starts_the_command_anew_after_it_has_ended_in_peace(
    reloading: "subprocess.Popen[bytes]", watched: Path, tmp_path: Path
) -> None:
    def restarted() -> bool:
        # Again and again, because the watch may begin after the first change.
        (watched / "module.py").write_text(f"VALUE = {os.urandom(4)!r}\n")
        return lines(tmp_path)[:3] == ["started", "drained", "started"]

    eventually(restarted, interval=2.0)
    assert reloading.poll() is None


def test_a_stop_waits_for_the_command_and_hands_its_exit_code_on(
    reloading: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    reloading.send_signal(signal.SIGTERM)
    assert reloading.wait(timeout=30) == 3
    assert lines(tmp_path) == ["started", "drained"]


def test_a_command_that_ends_by_itself_ends_the_container(watched: Path) -> None:
    words = [sys.executable, str(ROOT / "docker" / "reload.py"), str(watched), "--", "sh", "-c", "exit 78"]
    assert subprocess.run(words, check=False, timeout=30).returncode == 78


# -- the real thing: one service, and what it needs --------------------------------------------------------


@pytest.fixture
def copy() -> Iterator[Path]:
    """The source in a folder that the containers' account may read."""
    folder = Path(tempfile.mkdtemp(prefix="coinrequest-source-"))
    folder.chmod(0o755)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "docker-compose.yaml", folder)
    shutil.copy(ROOT / EXAMPLE, folder / "docker-compose.override.yaml")
    yield folder
    shutil.rmtree(folder)


def test_an_edited_file_runs_in_the_same_container(compose_image: str, copy: Path) -> None:
    files = [str(copy / name) for name in ("docker-compose.yaml", "docker-compose.override.yaml")]
    stack = ComposeStack(f"coinrequest-override-{os.getpid()}", files, {"COINREQUEST_IMAGE": compose_image})
    try:
        stack.up("gateway")
        before = stack.containers("gateway")[0]["State"]["StartedAt"]
        module = copy / "coinrequest" / "gateway" / "process.py"
        edited = module.read_text().replace("Gateway is ready", "Gateway is ready, edited")
        assert edited != module.read_text()
        module.write_text(edited)

        eventually(
            lambda: "Gateway is ready, edited" in stack.compose("logs", "gateway").stdout, timeout=120, interval=0.5
        )
        assert "Gateway has stopped" in stack.compose("logs", "gateway").stdout
        refused = stack.compose("exec", "-T", "gateway", "touch", "/app/library/coinrequest/new.py", check=False)
        assert "Read-only file system" in refused.stderr
        stack.up("gateway")
        assert stack.containers("gateway")[0]["State"]["StartedAt"] == before

        stack.compose("stop", "gateway")
        assert stack.containers("gateway")[0]["State"]["ExitCode"] == 0
    finally:
        stack.down()
    assert left_of(stack.project) == []
