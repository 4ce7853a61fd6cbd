"""Compares the measured values with what they must be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.bench_fairness import GREEDY
from benchmarks.bench_phases import agrees, difference
from benchmarks.bench_urls import TARGETS

Found = Mapping[str, Any]

TARGET_TYPES = 10_000
RUNNABLE_MEDIAN = 0.15
RUNNABLE_P95 = 0.5
RUNNABLE_GROWTH = 1.5
FIRST_JOB_MEDIAN = 1.0
DONE_MEDIAN = 0.5
DONE_TIMES_FASTER = 3.5
RATE_TIMES_HIGHER = 2.0
GREEDY_TIMES = 2.0
AGENT_SECONDS = 0.1
LOOP_SECONDS = 2.0
UP_SECONDS = 40.0
WEBHOOK_MEDIAN = 0.3
RESULT_MEDIAN = 1.0
MESSAGES_PER_SECOND = 200.0
BROKERS = {"redis": "Redis", "rabbitmq": "RabbitMQ"}
TARGET_JOBS = 1_000_000
DEEP_TIMES = 2.0
IDLE_MIB = 1.3 * 1024
IMPORT_SECONDS = 0.15
OVERHEAD_SECONDS = 0.02
CURL_TIMES = 1.5
CONTAINERS_UP_SECONDS = 60.0
CONTAINERS_MIB = 1.6 * 1024
IMAGE_MB = 900
REBUILD_SECONDS = 20.0


@dataclass(frozen=True)
class Row:
    """One line of the summary."""

    what: str
    must: str
    measured: str = "not measured"
    verdict: str = ""


def rows(benchmarks: Mapping[str, Found]) -> list[Row]:
    """Return the summary, one row for each thing that must be reached; a quick run reaches nothing."""
    compared = _compared(benchmarks)
    if any(found.get("quick") for found in benchmarks.values()):
        compared = [replace(row, verdict="quick run" if row.verdict else "") for row in compared]
    return compared


def _compared(benchmarks: Mapping[str, Found]) -> list[Row]:
    register, loop = benchmarks.get("register", {}), benchmarks.get("loop", {})
    jobs, stock = benchmarks.get("jobs", {}), benchmarks.get("stock", {})
    agent, up = benchmarks.get("agent", {}), benchmarks.get("up", {})
    notices, channel = benchmarks.get("notices", {}), benchmarks.get("channel", {})
    gateway, listing = benchmarks.get("gateway", {}), benchmarks.get("listing", {})
    fairness = benchmarks.get("fairness", {})
    return [
        *_runnable(register, "jobs", "register → a trigger over this project's REST is accepted"),
        *_runnable(register, "airflow", "register → a trigger over Airflow's own REST is accepted"),
        _row(
            "register → first job done",
            f"median ≤ {FIRST_JOB_MEDIAN} s",
            lambda: _largest(register)[1]["jobs"]["done"]["median"],
            FIRST_JOB_MEDIAN,
            types=_count(register),
        ),
        _row(
            "submit → done, trivial job",
            f"median ≤ {DONE_MEDIAN} s",
            lambda: jobs["latency"]["seen"]["median"],
            DONE_MEDIAN,
        ),
        _ratio(
            "submit → done, by the runs' own times, against stock settings",
            f"≥ {DONE_TIMES_FASTER} times faster",
            lambda: (stock["latency"]["done"]["median"], jobs["latency"]["done"]["median"]),
            DONE_TIMES_FASTER,
            "s",
        ),
        _ratio(
            "jobs per second against stock settings",
            f"≥ {RATE_TIMES_HIGHER} times as many",
            lambda: (jobs["throughput"]["per_second"], stock["throughput"]["per_second"]),
            RATE_TIMES_HIGHER,
            "per second",
        ),
        *(
            _ratio(
                f"a trivial job beside a type with 10,000 {label}, against it alone",
                f"median ≤ {GREEDY_TIMES} times",
                lambda label=label: (
                    fairness["ours"]["greedy"][label]["small"]["median"],
                    fairness["ours"]["usual"]["median"],
                ),
                GREEDY_TIMES,
                "s",
                at_most=True,
            )
            for label in GREEDY
        ),
        _row(
            "end of a job → its webhook received",
            f"median ≤ {WEBHOOK_MEDIAN} s",
            lambda: notices["webhook"]["median"],
            WEBHOOK_MEDIAN,
        ),
        *(
            _row(
                f"message published → result received, trivial job, {label}",
                f"median ≤ {RESULT_MEDIAN} s",
                lambda broker=broker: channel["brokers"][broker]["median"],
                RESULT_MEDIAN,
            )
            for broker, label in BROKERS.items()
        ),
        *(
            _row(
                f"messages into stored jobs, {label}",
                f"≥ {MESSAGES_PER_SECOND:.0f} per second",
                lambda broker=broker: gateway["brokers"][broker]["per_second"]["median"],
                MESSAGES_PER_SECOND,
                "per second",
                at_least=True,
            )
            for broker, label in BROKERS.items()
        ),
        _deep(listing),
        *_work(benchmarks),
        *(
            _row(
                f"`{action}` within an agent, all but the work",
                f"median ≤ {OVERHEAD_SECONDS} s",
                lambda action=action: benchmarks["overhead"][action]["overhead"]["median"],
                OVERHEAD_SECONDS,
            )
            for action in ("url.test", "coin.prices")
        ),
        _row(
            "agent: prepare the bundle and build the DAG",
            f"≤ {AGENT_SECONDS} s",
            lambda: agent["ours"]["total"]["median"],
            AGENT_SECONDS,
            types=agent.get("ours", {}).get("types"),
        ),
        _row(
            "DAG processor's loop: longest hold-up by one file",
            f"≤ {LOOP_SECONDS} s",
            lambda: benchmarks["writing"]["held"]["max"],
            LOOP_SECONDS,
            types=benchmarks.get("writing", {}).get("types"),
        ),
        _row(
            "DAG processor's loop: longest gap while types are registered, idle second included",
            f"≤ {LOOP_SECONDS} s",
            lambda: max(_gaps(register, loop)),
            LOOP_SECONDS,
            types=_count(register) or loop.get("types"),
        ),
        _row(
            "DAG processor's loop: longest gap after a restart, idle second included",
            f"≤ {LOOP_SECONDS} s",
            lambda: loop["after_restart"]["gaps"]["max"],
            LOOP_SECONDS,
            types=loop.get("types"),
        ),
        _row("`make up`, everything installed, empty data directory", "≤ 40 s", lambda: up["cold"], UP_SECONDS),
        _row("`make up`, data of an earlier start", "≤ 40 s", lambda: up["warm"], UP_SECONDS),
        _row("memory of the whole stack, idle (PSS)", "≤ 1.3 GiB", lambda: up["idle"]["total"]["mib"], IDLE_MIB, "MiB"),
        *_in_containers(benchmarks.get("containers", {})),
    ]


def _in_containers(found: Found) -> list[Row]:
    up = "`docker compose up -d --wait`, image built, empty volumes, longest of three"
    return [
        _row(up, "≤ 60 s", lambda: found["cold"]["max"], CONTAINERS_UP_SECONDS),
        _row("image", "≤ 900 MB", lambda: found["mb"], IMAGE_MB, "MB"),
        _row("image again after a change of the source", "≤ 20 s", lambda: found["rebuild"]["max"], REBUILD_SECONDS),
        _row("memory of all containers, idle", "≤ 1.6 GiB", lambda: found["idle_mib"], CONTAINERS_MIB, "MiB"),
    ]


def _runnable(register: Found, way: str, what: str) -> list[Row]:
    count = _count(register)

    def growth() -> tuple[float, float]:
        smallest, largest = _smallest(register), _largest(register)
        if smallest[0] == largest[0]:
            raise KeyError("one size only")
        return largest[1][way]["runnable"]["median"], smallest[1][way]["runnable"]["median"]

    return [
        _row(
            f"{what}, median",
            f"≤ {RUNNABLE_MEDIAN} s",
            lambda: _largest(register)[1][way]["runnable"]["median"],
            RUNNABLE_MEDIAN,
            types=count,
        ),
        _row(
            f"{what}, p95",
            f"≤ {RUNNABLE_P95} s",
            lambda: _largest(register)[1][way]["runnable"]["p95"],
            RUNNABLE_P95,
            types=count,
        ),
        _ratio(
            f"{what}, against 10 types",
            f"≤ {RUNNABLE_GROWTH} times",
            growth,
            RUNNABLE_GROWTH,
            "s",
            at_most=True,
            types=count,
        ),
    ]


def _deep(listing: Found) -> Row:
    """Compare a page deep in the list with the first one."""
    lists = listing.get("lists", {})
    row = _ratio(
        "a list's page 1,001 against its first",
        f"≤ {DEEP_TIMES} times, with {TARGET_JOBS:,} jobs",
        lambda: (lists["page 1,001, by its cursor"]["median"], lists["the newest"]["median"]),
        DEEP_TIMES,
        "s",
        at_most=True,
    )
    return row if listing.get("jobs", 0) >= TARGET_JOBS or not row.verdict else replace(row, verdict="fewer jobs")


def _work(benchmarks: Mapping[str, Found]) -> list[Row]:
    imports = benchmarks.get("work", {}).get("imports", {})
    targets = benchmarks.get("urls", {}).get("targets", {})
    rows = [
        _row(
            "`import coinrequest.prices, coinrequest.urltest`",
            f"≤ {IMPORT_SECONDS} s",
            lambda: imports["`import coinrequest.prices, coinrequest.urltest`"]["median"],
            IMPORT_SECONDS,
        )
    ]
    for target in TARGETS:
        clients = targets.get(target, {})
        httpx = min(
            (name for name in clients if name.startswith("httpx")),
            key=lambda name: clients[name]["median"],
            default="httpx",
        )
        rows.append(
            _ratio(
                f"1,000 URLs, {target}: against the faster of httpx's ways",
                "at least as fast",
                lambda clients=clients, httpx=httpx: (clients[httpx]["median"], clients["ours"]["median"]),
                1.0,
                "s",
            )
        )
        rows.append(
            _ratio(
                f"1,000 URLs, {target}: against `curl --parallel`",
                f"≤ {CURL_TIMES} times",
                lambda clients=clients: (clients["ours"]["median"], clients["curl"]["median"]),
                CURL_TIMES,
                "s",
                at_most=True,
            )
        )
    return [*rows, _phases(benchmarks.get("phases", {}).get("targets", {}))]


def _phases(targets: Found) -> Row:
    """Compare each phase of each server with what curl says; the row shows the largest difference."""
    what, must = "phases of a URL test against `curl -w`, each of their medians", "within 10 % or 2 ms"
    compared = [(target, phase, measured) for target, found in targets.items() for phase, measured in found.items()]
    if not compared:
        return Row(what, must)
    target, phase, measured = max(compared, key=lambda one: abs(difference(one[2])))
    largest = f"**{1000 * difference(measured):+.1f} ms** at most ({phase}: {target})"
    return Row(what, must, largest, "met" if all(agrees(one[2]) for one in compared) else "**not met**")


def _row(
    what: str,
    must: str,
    read: Callable[[], float],
    limit: float,
    unit: str = "s",
    *,
    at_least: bool = False,
    types: int | None = None,
) -> Row:
    try:
        value = read()
    except (KeyError, ValueError, IndexError):
        return Row(what, must)
    digits = 0 if unit in ("MB", "MiB", "per second") else 1 if value >= 10 else 3
    return Row(
        what,
        must,
        f"**{value:.{digits}f} {unit}**{_at(types)}",
        _verdict(value >= limit if at_least else value <= limit, types),
    )


def _ratio(
    what: str,
    must: str,
    read: Callable[[], tuple[float, float]],
    limit: float,
    unit: str,
    *,
    at_most: bool = False,
    types: int | None = None,
) -> Row:
    try:
        one, other = read()
        ratio = one / other
    except (KeyError, ValueError, IndexError, ZeroDivisionError):
        return Row(what, must)
    met = ratio <= limit if at_most else ratio >= limit
    return Row(what, must, f"**{ratio:.2f}** ({one:.3f} and {other:.3f} {unit}){_at(types)}", _verdict(met, types))


def _verdict(met: bool, types: int | None) -> str:
    """Return the verdict; a value from a smaller number of types proves nothing."""
    if types is not None and types < TARGET_TYPES:
        return f"not measured at {TARGET_TYPES:,} types"
    return "met" if met else "**not met**"


def _at(types: int | None) -> str:
    return "" if types is None else f" with {types:,} types"


def _count(register: Found) -> int | None:
    return max(map(int, register.get("sizes", {})), default=None)


def _largest(register: Found) -> tuple[int, Found]:
    count = max(map(int, register["sizes"]))
    return count, register["sizes"][str(count)]


def _smallest(register: Found) -> tuple[int, Found]:
    count = min(map(int, register["sizes"]))
    return count, register["sizes"][str(count)]


def _gaps(register: Found, loop: Found) -> list[float]:
    reports = [size["loop"] for size in register.get("sizes", {}).values() if "loop" in size]
    reports += [size["fill"]["loop"] for size in register.get("sizes", {}).values() if size.get("fill")]
    if "fill" in loop:
        reports.append(loop["fill"]["loop"])
    return [report["gaps"]["max"] for report in reports]
