"""The part of the page about the work itself: imports, URL tests, their phases."""

from collections.abc import Mapping
from typing import Any

from benchmarks.bench_phases import PHASES, difference
from benchmarks.bench_urls import connections
from benchmarks.markdown import SPREAD, spread, table

Content = Mapping[str, Any]


def imports(found: Content) -> str:
    """Return what the imports cost."""
    lines = [[name, *spread(measured)] for name, measured in found.get("imports", {}).items()]
    return "Seconds in a fresh interpreter, its own start left out.\n\n" + table(["statement", *SPREAD], lines)


def urls(found: Content) -> str:
    """Return how long many URLs take."""
    lines = [
        [target, client, connections(client, target), *spread(measured)]
        for target, clients in found.get("targets", {}).items()
        for client, measured in clients.items()
    ]
    if not lines:
        return table([], [])
    text = (
        f"Seconds for {found['urls']:,} URLs, {found['concurrency']} at a time. curl and `coinrequest url` are whole "
        "processes; for the others the clock runs from the first request to the last answer.\n\n"
    )
    return text + table(["server", "client", "connections", *SPREAD], lines)


def phases(found: Content) -> str:
    """Return the phases by ours and by `curl -w`."""
    lines = []
    for target, measured in found.get("targets", {}).items():
        cells = [f"{_ms(measured[phase]['ours'])} / {_ms(measured[phase]['curl'])}" for phase in PHASES]
        largest = max(PHASES, key=lambda phase: abs(difference(measured[phase])))
        most = f"{1000 * difference(measured[largest]):+.1f} ({_name(largest)})"
        lines.append([target, *cells, most, str(measured["total"]["ours"]["n"])])
    text = "Medians in milliseconds, ours / `curl -w`, requested in turn.\n\n"
    return text + table(["server", *map(_name, PHASES), "largest difference", "n"], lines)


def _name(phase: str) -> str:
    return {"tls": "TLS", "first_byte": "first byte"}.get(phase, phase)


def _ms(measured: Mapping[str, float]) -> str:
    return f"{1000 * measured['median']:.1f}"
