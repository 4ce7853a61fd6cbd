"""The command: `python -m benchmarks`."""

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import (
    bench_agent,
    bench_channel,
    bench_containers,
    bench_factory,
    bench_fairness,
    bench_gateway,
    bench_jobs,
    bench_listing,
    bench_loop,
    bench_notices,
    bench_overhead,
    bench_phases,
    bench_register,
    bench_up,
    bench_urls,
    bench_web_instance,
    bench_work,
    bench_writing,
    machine,
    page,
)
from benchmarks.context import Context
from benchmarks.measure import GaveUp, say
from benchmarks.results import Results
from benchmarks.stacks import Stacks
from coinrequest.stack.layout import project_root

_HERE = Path(__file__).parent

# In this order each stack is started once, and the registry only grows. With the minutes that each may take.
BENCHMARKS: dict[str, tuple[Callable[[Context], None], float]] = {
    "up": (bench_up.run, 7),
    "jobs": (bench_jobs.run_ours, 6),
    "notices": (bench_notices.run, 5),
    "channel": (bench_channel.run, 5),
    "gateway": (bench_gateway.run, 6),
    "listing": (bench_listing.run, 9),
    "register": (bench_register.run, 18),
    "loop": (bench_loop.run, 15),
    "writing": (bench_writing.run, 10),
    "agent": (bench_agent.run, 15),
    "overhead": (bench_overhead.run, 6),
    "fairness": (bench_fairness.run, 20),
    "stock": (bench_jobs.run_stock, 9),
    "factory": (bench_factory.run, 13),
    # These need no stack.
    "work": (bench_work.run, 3),
    "urls": (bench_urls.run, 10),
    "phases": (bench_phases.run, 3),
    "containers": (bench_containers.run, 15),
    "web-instance": (bench_web_instance.run, 15),
}

_FULL: dict[str, Any] = {
    "types": (10, 1000, 10_000),
    "jobs": 200,
    "samples": 30,
    "rows": 1_000_000,
    "idle_seconds": 60.0,
    "factory_limit": 180.0,
}
_QUICK: dict[str, Any] = {
    "types": (10, 100),
    "jobs": 20,
    "samples": 4,
    "rows": 20_000,
    "idle_seconds": 10.0,
    "factory_limit": 60.0,
}


class TimeLimit(Exception):
    """A benchmark took longer than it may."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmarks; return the exit code: 0 if all of them were measured."""
    arguments = _parser().parse_args(words)
    folder = arguments.root.resolve() if arguments.quick else _HERE  # the published page shows no quick figures
    folder.mkdir(parents=True, exist_ok=True)
    arguments.results = arguments.results or folder / "results.json"
    arguments.page = arguments.page or folder / "README.md"
    results = Results(arguments.results)
    if arguments.render:
        _publish(arguments, results)
        return 0
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    context = _context(arguments, results)
    wanted = [name for name in BENCHMARKS if not arguments.only or name in arguments.only]
    failed = 0
    context.stacks.stop()
    results.describe(**machine.describe())
    began = time.monotonic()
    try:
        for name in wanted:
            failed += not _run(name, context, arguments)
    finally:
        context.stacks.stop()
        _publish(arguments, results)
    say(f"{len(wanted) - failed} of {len(wanted)} measured in {(time.monotonic() - began) / 60:.1f} minutes")
    say(f"results: {arguments.results} and {arguments.page}")
    return 1 if failed else 0


def _run(name: str, context: Context, arguments: argparse.Namespace) -> bool:
    """Run one benchmark within its time; return whether it was measured to its end."""
    say(f"== {name}")
    benchmark, minutes = BENCHMARKS[name]
    context.results.begin(name, os.getloadavg()[0], arguments.quick)
    began = time.monotonic()
    try:
        with _limit(min(minutes, arguments.limit) * 60):
            benchmark(context)
        if name in ("jobs", "register"):
            context.results.describe(PostgreSQL=machine.postgres_version(context.stacks.ours()))
        return True
    except (GaveUp, TimeLimit) as error:
        context.results.put(name, error=str(error))
        say(f"{name} was not measured to its end: {error}")
    except Exception as error:
        context.results.put(name, error=f"{type(error).__name__}: {error}")
        traceback.print_exc()
    finally:
        context.results.put(name, seconds=round(time.monotonic() - began))
        _publish(arguments, context.results)
    # A broken run must not affect the next one.
    context.stacks.fresh("ours")
    return False


def _publish(arguments: argparse.Namespace, results: Results) -> None:
    page.update(arguments.page, "results.md.j2", results.content)
    if arguments.page == _HERE / "README.md":
        page.update(page.CAPACITY, "capacity.md.j2", results.content)


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise TimeLimit(f"stopped after {seconds / 60:.0f} minutes")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _context(arguments: argparse.Namespace, results: Results) -> Context:
    given = {name: getattr(arguments, name) for name in ("types", "jobs", "samples", "rows")}
    sizes = (_QUICK if arguments.quick else _FULL) | {name: size for name, size in given.items() if size}
    return Context(Stacks(arguments.root.resolve()), results, **sizes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the project on stacks of its own, which are stopped at the end. Nothing else should run "
        "on the machine. Results are written after every value; a benchmark that is left out keeps its last ones.",
    )
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}"
    )
    parser.add_argument(
        "--types",
        type=lambda text: tuple(sorted(map(int, text.split(",")))),
        metavar="N,N,...",
        help="numbers of registered types to measure at (default 10,1000,10000)",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="jobs of the throughput test (default 200)")
    parser.add_argument("--samples", type=int, metavar="N", help="samples of each latency (default 30)")
    parser.add_argument("--rows", type=int, metavar="N", help="jobs of the test of lists (default 1,000,000)")
    parser.add_argument(
        "--quick", action="store_true", help="few samples of small sizes: shows that it works, its figures mean little"
    )
    parser.add_argument(
        "--limit", type=float, default=30, metavar="MINUTES", help="the longest that one benchmark may take"
    )
    parser.add_argument("--render", action="store_true", help="only write the page again from the results")
    place = "default: beside this module; with --quick, in the folder of the stacks"
    parser.add_argument("--results", type=Path, metavar="FILE", help=f"where the values go ({place})")
    parser.add_argument("--page", type=Path, metavar="FILE", help=f"the page that shows them ({place})")
    parser.add_argument(
        "--root",
        type=Path,
        default=project_root() / ".stack" / "bench",
        metavar="FOLDER",
        help="where the stacks and their data are (default %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
