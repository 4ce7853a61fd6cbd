"""What processes cost, and programs of the benchmarks that run in processes of their own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import RESULT, GaveUp
from coinrequest.stack.layout import project_root


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time that a process and its reaped children have used; 0 if it has ended."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        children = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return float(times.user + times.system + children)
    return 0.0


def memory(process: psutil.Process) -> float:
    """Return the proportional set size in MiB, on macOS the unique set size; 0 if the process has ended."""
    with suppress(psutil.Error):
        found = process.memory_full_info()
        return float(found.pss if sys.platform.startswith("linux") else found.uss) / 2**20
    return 0.0


def run_module(
    name: str,
    *words: str,
    python: Path | str = sys.executable,
    environment: Mapping[str, str] | None = None,
    given: object = None,
    timeout: float = 300,
) -> Any:
    """Run `python -m benchmarks.NAME`, which gets a JSON value and ends with `print_result`; return the result.

    Raises:
        GaveUp: it failed or took too long.
    """
    try:
        done = subprocess.run(
            [str(python), "-m", f"benchmarks.{name}", *words],
            cwd=project_root(),
            env=environment,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GaveUp(f"no end after {timeout:.0f} s") from None
    if done.returncode:
        raise GaveUp(f"benchmarks.{name} ended with {done.returncode}:\n{done.stderr[-1500:]}")
    return json.loads(done.stdout.rpartition(RESULT)[2])
