"""The platform in containers: its image, its start, what it costs while it does nothing and while 60 jobs run (C20)."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.measure import GaveUp, brief, say, summary
from coinrequest.stack.layout import project_root

PROJECT = "coinrequest-benchmark"
IMAGE = "coinrequest:benchmark"
PORT = "18080"
JOBS = 60
_STARTS = 3
_BUILT_FROM = (
    "pyproject.toml",
    "uv.lock",
    "README.md",
    ".dockerignore",
    "coinrequest",
    "dags",
    "plugins",
    "config",
    "docker",
)
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def run(context: Context) -> None:
    """Build, start with empty volumes and with data, watch it idle and under jobs; remove everything."""
    results = context.results
    _require_engine()
    try:
        results.put("containers", **_image())
        cold = []
        for _ in range(_STARTS):
            _compose("down", "-v", "-t", "5")
            cold.append(_up())
        _compose("down", "-t", "5")
        warm = [_up()]
        results.put("containers", cold=summary(cold), warm=summary(warm))
        say(f"up with empty volumes: {brief(summary(cold))}; with data: {brief(summary(warm))}")
        time.sleep(30)
        idle = _idle(context.idle_seconds)
        total = sum(service["mib"] for service in idle.values())
        results.put("containers", idle=idle, idle_mib=round(total, 1))
        say(f"idle: {total:.0f} MiB in {len(idle)} containers")
        results.put("containers", peak=_peak(), limits=_limits(), jobs=JOBS)
    finally:
        _compose("down", "-v", "-t", "5")
    began = time.monotonic()
    _build(project_root(), "--no-cache")
    results.put("containers", build=round(time.monotonic() - began, 1))


def _require_engine() -> None:
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True)
        subprocess.run(["docker", "info"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise GaveUp("there is no Docker engine with Compose") from error


def _compose(*words: str) -> str:
    settings = {"COINREQUEST_IMAGE": IMAGE, "COINREQUEST_PORT": PORT, "COMPOSE_PROFILES": ""}
    answer = subprocess.run(
        ["docker", "compose", "-p", PROJECT, *words],
        cwd=project_root(),
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise GaveUp(f"docker compose {' '.join(words)}: {answer.stderr[-500:]}")
    return answer.stdout


def _up() -> float:
    began = time.monotonic()
    _compose("up", "-d", "--wait")
    return time.monotonic() - began


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
    words = ["docker", "compose", "-f", "-", "-p", f"{PROJECT}-build", "build", "-q", *options]
    file = f"services: {{image: {{image: '{IMAGE}', build: {{context: '{source}', dockerfile: docker/Dockerfile}}}}}}"
    answer = subprocess.run(words, input=file, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise GaveUp(f"the image was not built: {answer.stderr[-500:]}")


def _idle(seconds: float) -> dict[str, dict[str, float]]:
    """Return memory (MiB, as the engine counts it against the limit) and CPU (percent of one core) of each service."""
    before, began = _cpu(), time.monotonic()
    time.sleep(seconds)
    after, elapsed = _cpu(), time.monotonic() - began
    memory = _memory()
    return {
        name: {"mib": memory[name], "cpu_percent": round(100 * (after[name] - before[name]) / elapsed, 2)}
        for name in sorted(memory)
    }


def _cpu() -> dict[str, float]:
    """Return the CPU seconds of each container, of which the first process is asked with its children."""
    spent = {}
    for name in _names():
        shown = subprocess.run(["docker", "top", name, "-o", "pid"], check=True, capture_output=True, text=True)
        times = [psutil.Process(int(pid)).cpu_times() for pid in shown.stdout.split()[1:]]
        spent[_service(name)] = sum(one.user + one.system + one.children_user + one.children_system for one in times)
    return spent


def _memory() -> dict[str, float]:
    words = ["docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *_names()]
    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found = {}
    for line in shown.splitlines():
        name, used = line.split()[:2]
        number, unit = re.fullmatch(r"([\d.]+)(\w+)", used).groups()  # type: ignore[union-attr]
        found[_service(name)] = round(float(number) * _UNITS[unit] / 2**20, 1)
    return found


def _names() -> list[str]:
    return [json.loads(line)["Name"] for line in _compose("ps", "--format", "json").splitlines()]


def _service(name: str) -> str:
    return name.removeprefix(f"{PROJECT}-").rpartition("-")[0]


def _limits() -> dict[str, float]:
    """Return the memory limit of each service in MiB."""
    words = ["docker", "inspect", "-f", "{{.Name}} {{.HostConfig.Memory}}", *_names()]
    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return {_service(line.split()[0].lstrip("/")): int(line.split()[1]) / 2**20 for line in shown.splitlines()}


def _peak() -> dict[str, float]:
    """Let 60 jobs of one second run; return the most memory that each service was seen with, in MiB."""
    client = _client()
    submit = "/jobs/v1/job-types/integer/jobs"
    jobs = [client.call("POST", submit, {"params": {"value": 1}})["id"] for _ in range(JOBS)]
    most: dict[str, float] = {}
    deadline = time.monotonic() + 180
    while client.call("GET", f"/jobs/v1/jobs/{jobs[-1]}")["state"] in ("queued", "running"):
        if time.monotonic() > deadline:
            raise GaveUp(f"{JOBS} jobs of a second: not within 180 s")
        for name, used in _memory().items():
            most[name] = max(used, most.get(name, 0.0))
    return most


def _client() -> Client:
    lines = _compose("run", "--rm", "-T", "cli", "sign-in").splitlines()
    shown: Mapping[str, str] = dict(shlex.split(line)[1].split("=", 1) for line in lines)
    return Client(f"http://127.0.0.1:{PORT}", shown["COINREQUEST_USERNAME"], shown["COINREQUEST_PASSWORD"])
