"""The guide *Write an action*, walked on a running stack: scaffold, test, installation, registration, job."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.client import API, Client

from coinrequest.stack import Stack
from coinrequest.stack.state import StackPhase

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "how-to" / "write-an-action.md").read_text(encoding="utf-8")
PROGRAMS = ("airflow", "celery", "coinrequest")


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A project with an environment of its own, which sees the packages of this one: nothing is installed here."""
    # Not below pytest's own folders: those are closed to the account that PostgreSQL runs under.
    root = Path(tempfile.mkdtemp(prefix="coinrequest-test-"))
    root.chmod(0o711)
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "extra-requirements.txt").write_text("# nothing yet\n")
    environment = root / ".venv"
    venv.create(environment)
    packages = next(environment.glob("lib/python*/site-packages"))
    (packages / "shared.pth").write_text(
        "".join(f"{path}\n" for path in sys.path if "site-packages" in path) + str(ROOT)
    )
    for name in PROGRAMS:
        text = (Path(sys.executable).parent / name).read_text().partition("\n")[2]
        (environment / "bin" / name).write_text(f"#!{environment / 'bin' / 'python'}\n{text}")
        (environment / "bin" / name).chmod(0o755)
    try:
        yield root
    finally:
        run(root, ".venv/bin/coinrequest", "stack", "--root", "stack", "down")
        shutil.rmtree(root, ignore_errors=True)


def run(project: Path, *command: str) -> str:
    """Run a command in the project as a person does; it has to succeed."""
    person = {name: value for name, value in os.environ.items() if not name.startswith(("COINREQUEST_", "PYTHON"))}
    ran = subprocess.run(
        command, cwd=project, capture_output=True, text=True, env=person | {"UV_OFFLINE": "1"}, timeout=400, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".stack" / "uv" / "bin" / "uv")
    assert Path(found).exists(), "make setup brings uv"
    return found


def test_the_guide_leads_to_a_job_without_a_restart(project: Path) -> None:
    run(project, ".venv/bin/coinrequest", "stack", "--root", "stack", "up")
    stack = Stack(project / "stack")
    before = {name: process.identity for name, process in stack.status().processes.items()}

    scaffold, test, *_ = re.findall(r"^(\.venv/bin/\S+ .*)$", GUIDE, re.MULTILINE)
    assert scaffold == ".venv/bin/coinrequest new action text.count"
    run(project, *scaffold.split())
    assert test == ".venv/bin/pytest my-actions/text-count"
    assert "3 passed" in run(project, ".venv/bin/python", "-m", *test.removeprefix(".venv/bin/").split())

    line = re.search(r"^echo (\S+) >> extra-requirements\.txt$", GUIDE, re.MULTILINE)
    assert line is not None
    with (project / "extra-requirements.txt").open("a") as extra:
        extra.write(f"{line[1]}\n")
    run(project, "scripts/install-actions", uv())

    op = stack.credentials("op")
    client = Client(stack.url, op.username, op.password)
    try:
        listed = [action["name"] for action in client.get(f"{API}/actions").json()["actions"]]
        assert "text.count" in listed
        definition = re.search(r"<<'END'\n(name: word-count\n.*?)END\n", GUIDE, re.DOTALL)
        assert definition is not None
        answer = client.put(
            f"{API}/job-types/word-count", data=definition[1], headers={"Content-Type": "application/yaml"}
        )
        assert answer.status_code == 201, answer.text
        assert answer.json()["warnings"] == []
        job = submitted(client, "one two three")
        assert (job["state"], job["result"]) == ("success", {"characters": 13, "words": 3})
        failed = submitted(client, " ")
        assert failed["state"] == "failed"
        assert "the text has no words" in str(failed["error"])
    finally:
        client.close()
    assert stack.status().phase is StackPhase.READY
    assert {name: process.identity for name, process in stack.status().processes.items()} == before


def submitted(client: Client, text: str) -> dict[str, object]:
    """Run a job of the guide's type, and return it when it has ended."""
    answer = client.post(f"{API}/job-types/word-count/jobs", json={"params": {"text": text}})
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 180
    while True:
        job: dict[str, object] = client.get(f"{API}/jobs/{answer.json()['id']}", params={"wait": 30}).json()
        if job["state"] in ("success", "failed"):
            return job
        assert time.monotonic() < deadline, job
