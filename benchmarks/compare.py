"""Compares two checkouts of this project: `python -m benchmarks.compare BEFORE AFTER`.

Each checkout runs its own stack, by its own code in its own `.venv`. They take turns, one stack at a time and each time
with empty data; who is first changes with every round, so that both see the same machine.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

import psutil

from benchmarks import bench_jobs, bench_register
from benchmarks.client import Client
from benchmarks.measure import GaveUp, repeat, say, summary, wait_for
from benchmarks.processes import cpu_seconds, memory

SUBMIT, REGISTER, MEMORY = "submit → done, s", "register → runnable, s", "idle memory, MiB"
# Of one core, over the seconds of `_PERIOD`: an idle stack takes a third.
_IDLE_SHARE = 0.6
_PERIOD = 5.0

Samples = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path, help="a checkout with its packages in .venv (scripts/setup)")
    parser.add_argument("after", type=Path, help="the other")
    parser.add_argument("--rounds", type=int, default=4, help="starts of each stack (default %(default)s)")
    parser.add_argument("--samples", type=int, default=30, help="of each latency in a round (default %(default)s)")
    parser.add_argument("--idle", type=float, default=20, help="seconds before memory is read (default %(default)s)")
    arguments = parser.parse_args()
    checkouts = {"before": arguments.before.resolve(), "after": arguments.after.resolve()}
    _report_packages(checkouts)
    found: dict[str, Samples] = {name: {SUBMIT: [], REGISTER: [], MEMORY: []} for name in checkouts}
    for number in range(arguments.rounds):
        for name in checkouts if number % 2 == 0 else reversed(checkouts):
            say(f"round {number + 1} of {arguments.rounds}: {name}")
            for figure, values in _measure(checkouts[name], arguments.samples, arguments.idle).items():
                found[name][figure] += values
    print()
    print(table(found["before"], found["after"]))


def _report_packages(checkouts: Mapping[str, Path]) -> None:
    """Say which packages only one environment has: Airflow loads some wherever they are installed."""
    before, after = (_packages(checkout) for checkout in checkouts.values())
    for name, more in (("before", before - after), ("after", after - before)):
        if more:
            say(f"only {name} has {shorten(', '.join(sorted(more)), 400, placeholder=' ...')}")


def _packages(checkout: Path) -> set[str]:
    program = "from importlib.metadata import distributions; print(*{found.name for found in distributions()})"
    done = subprocess.run([_python(checkout), "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def _measure(checkout: Path, samples: int, idle: float) -> Samples:
    with _stack(checkout) as (client, supervisor):
        _wait_until_idle(supervisor)
        time.sleep(idle)
        measured = {MEMORY: [sum(map(memory, _family(supervisor)))]}
        measured[SUBMIT] = repeat(lambda: bench_jobs.one_job(client)["seen"], samples)
        measured[REGISTER] = repeat(lambda: bench_register.one_type(client, "jobs")["runnable"], samples)
        return measured


@contextmanager
def _stack(checkout: Path) -> Iterator[tuple[Client, psutil.Process]]:
    """Run a checkout's stack with empty data; give a client and the supervisor."""
    root = checkout / ".stack" / "compare"
    _control(checkout, root, "down")
    shutil.rmtree(root, ignore_errors=True)
    try:
        _control(checkout, root, "up")
        words = [line.removeprefix("export ") for line in (root / "env").read_text().splitlines()]
        shell = dict(shlex.split(word)[0].split("=", 1) for word in words)
        client = Client(*(shell[f"COINREQUEST_{name}"] for name in ("URL", "USERNAME", "PASSWORD")))
        yield client, _supervisor(root)
    finally:
        _control(checkout, root, "down")
        shutil.rmtree(root, ignore_errors=True)


def _control(checkout: Path, root: Path, command: str) -> None:
    words = [_python(checkout), "-m", "coinrequest.stack", "--root", str(root), command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COINREQUEST_", "PYTHON"))}
    done = subprocess.run(words, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GaveUp(f"{checkout}: {command} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _python(checkout: Path) -> str:
    return str(checkout / ".venv" / "bin" / "python")


def _supervisor(root: Path) -> psutil.Process:
    """Return the process that has the stack's folder among its arguments and all others as its descendants."""
    found = [process for process in psutil.process_iter(["cmdline"]) if str(root) in (process.info["cmdline"] or ())]
    return max(found, key=lambda process: len(process.children(recursive=True)))


def _family(supervisor: psutil.Process) -> list[psutil.Process]:
    return [supervisor, *supervisor.children(recursive=True)]


def _wait_until_idle(supervisor: psutil.Process) -> None:
    def idle() -> bool:
        before = sum(map(cpu_seconds, _family(supervisor)))
        time.sleep(_PERIOD)
        return sum(map(cpu_seconds, _family(supervisor))) - before < _IDLE_SHARE * _PERIOD

    wait_for("the stack is idle", idle, timeout=180, interval=0)


def table(before: Samples, after: Samples) -> str:
    """Return the comparison as a Markdown table: medians, and in brackets the middle half of the samples."""
    lines = ["| figure | before | after | after / before | n |", "| --- | --- | --- | --- | --- |"]
    for figure in before:
        one, other = summary(before[figure]), summary(after[figure])
        shown = [f"{each['median']:.4g} ({each['q1']:.4g} to {each['q3']:.4g})" for each in (one, other)]
        lines.append(f"| {figure} | {' | '.join(shown)} | {other['median'] / one['median']:.3f} | {one['n']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
