"""A release to a real stack, and one that fails and goes back."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.compose import ROOT, ComposeStack

pytestmark = pytest.mark.containers

SERVERS = {"api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent"}
# A version whose web server ends as soon as it starts; all else of it works.
BROKEN = """\
FROM {image}
USER root
RUN sed -i '2i [ "$1" != api-server ] || {{ echo "this version is broken" >&2; exit 1; }}' /app/docker/run-process
USER 50000:50000
"""


@pytest.fixture
def broken_image(compose_image: str) -> Iterator[str]:
    name = "coinrequest:test-of-a-broken-release"
    instructions = BROKEN.format(image=compose_image)
    subprocess.run(["docker", "build", "--quiet", "--tag", name, "-"], input=instructions, text=True, check=True)
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], check=True, capture_output=True)


def release(stack: ComposeStack, command: str, state: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    target = ("--project", stack.project, "--file", "docker-compose.yaml", "--state", str(state), "--timeout", "600")
    return subprocess.run(
        [sys.executable, "-m", "release", command, *target, *words],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def started(stack: ComposeStack) -> dict[str, str]:
    """When each container of the platform was created."""
    return {
        container["Config"]["Labels"]["com.docker.compose.service"]: container["Created"]
        for container in stack.containers()
        if container["Config"]["Labels"]["com.docker.compose.service"] in SERVERS
    }


def test_a_version_that_breaks_is_rolled_back(
    compose_stack: ComposeStack, compose_image: str, broken_image: str, tmp_path: Path
) -> None:
    before = started(compose_stack)
    good = release(compose_stack, "deploy", tmp_path, "--image", compose_image)
    assert good.returncode == 0, good.stdout + good.stderr
    assert '"result": "200"' in good.stdout
    assert started(compose_stack) == before, "what runs this image already is left alone"

    broken = release(compose_stack, "deploy", tmp_path, "--image", broken_image)
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "api-server ends again and again, with exit code 1" in broken.stdout, broken.stdout + broken.stderr
    assert f"{compose_image} runs again and works" in broken.stdout
    assert "this version is broken" in next(tmp_path.glob("logs/*-services.log")).read_text()

    states = compose_stack.states()
    assert {states[f"{name}-1"] for name in SERVERS} == {"healthy"}
    running = [one for one in compose_stack.containers() if one["State"]["Running"]]
    assert broken_image not in {one["Config"]["Image"] for one in running}
    job = compose_stack.submit("integer", {"value": 1})
    assert compose_stack.finished(job)["state"] == "success"

    history = [json.loads(line) for line in next(tmp_path.glob("*.jsonl")).read_text().splitlines()]
    assert [entry["outcome"] for entry in history] == ["released", f"failed, rolled back to {compose_image}"]
    shown = release(compose_stack, "status", tmp_path).stdout
    assert f"healthy    {compose_image}" in shown
    password = compose_stack.sign_in()["COINREQUEST_PASSWORD"]
    logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
    assert password not in good.stdout + broken.stdout + logs
