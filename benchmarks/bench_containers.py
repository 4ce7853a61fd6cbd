"""The platform in containers: its image, its start, what it costs while it does nothing and while 60 jobs run (C20)."""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.compose_project import ComposeProject, require_engine
from benchmarks.context import Context
from benchmarks.measure import GaveUp, brief, say, summary
from coinrequest.stack.layout import project_root

IMAGE = "coinrequest:benchmark"
PROJECT = ComposeProject("coinrequest-benchmark", IMAGE, "18080")
JOBS = 60
_STARTS = 3
_BUILT_FROM = (
    "pyproject.toml",
    "uv.lock",
    "README.md",
    "LICENSE",
    ".dockerignore",
    "coinrequest",
    "dags",
    "plugins",
    "config",
    "docker",
)


def run(context: Context) -> None:
    """Build, start with empty volumes and with data, watch it idle and under jobs; remove everything."""
    results = context.results
    require_engine()
    try:
        results.put("containers", **_image())
        cold = []
        for _ in range(_STARTS):
            PROJECT.remove()
            cold.append(PROJECT.up())
        PROJECT.compose("down", "-t", "5")
        warm = [PROJECT.up()]
        results.put("containers", cold=summary(cold), warm=summary(warm))
        say(f"up with empty volumes: {brief(summary(cold))}; with data: {brief(summary(warm))}")
        time.sleep(30)
        idle = PROJECT.idle(context.idle_seconds)
        total = sum(service["mib"] for service in idle.values())
        results.put("containers", idle=idle, idle_mib=round(total, 1))
        say(f"idle: {total:.0f} MiB in {len(idle)} containers")
        results.put("containers", peak=_peak(), limits=PROJECT.limits(), jobs=JOBS)
    finally:
        PROJECT.remove()
    began = time.monotonic()
    _build(project_root(), "--no-cache")
    results.put("containers", build=round(time.monotonic() - began, 1))


def _image() -> dict[str, Any]:
    """Build again after a change of the source; return seconds and megabytes."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary)
        for name in _BUILT_FROM:
            path = project_root() / name
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, source / name)
        _build(source)
        again = []
        for number in range(_STARTS):
            (source / "coinrequest" / "changed.py").write_text(f"NUMBER = {number}\n")
            began = time.monotonic()
            _build(source)
            again.append(time.monotonic() - began)
        (source / "coinrequest" / "changed.py").unlink()
        _build(source)
    shown = subprocess.run(["docker", "inspect", "-f", "{{.Size}}", IMAGE], check=True, capture_output=True, text=True)
    base = subprocess.run(["docker", "inspect", "-f", "{{.Size}}", _base()], check=True, capture_output=True, text=True)
    found = {"rebuild": summary(again), "mb": round(int(shown.stdout) / 1e6)}
    say(f"image: {found['mb']} MB, built again in {brief(summary(again))}")
    return {**found, "base_mb": round(int(base.stdout) / 1e6)}


def _base() -> str:
    found = re.search(r"^ARG PYTHON_IMAGE=(.+)$", (project_root() / "docker" / "Dockerfile").read_text(), re.M)
    if found is None:
        raise GaveUp("docker/Dockerfile names no base")
    return found[1]


def _build(source: Path, *options: str) -> None:
    words = ["docker", "compose", "-f", "-", "-p", f"{PROJECT.name}-build", "build", "-q", *options]
    file = f"services: {{image: {{image: '{IMAGE}', build: {{context: '{source}', dockerfile: docker/Dockerfile}}}}}}"
    answer = subprocess.run(words, input=file, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise GaveUp(f"the image was not built: {answer.stderr[-500:]}")


def _peak() -> dict[str, float]:
    """Let 60 jobs of one second run; return the most memory that each service was seen with, in MiB."""
    [client] = PROJECT.clients(1)
    submit = "/jobs/v1/job-types/integer/jobs"
    jobs = [client.call("POST", submit, {"params": {"value": 1}})["id"] for _ in range(JOBS)]
    most: dict[str, float] = {}
    deadline = time.monotonic() + 180
    while client.call("GET", f"/jobs/v1/jobs/{jobs[-1]}")["state"] in ("queued", "running"):
        if time.monotonic() > deadline:
            raise GaveUp(f"{JOBS} jobs of a second: not within 180 s")
        for name, used in PROJECT.memory().items():
            most[name] = max(used, most.get(name, 0.0))
    return most
