"""The part of the page about messages: notices, the channel, lists of many jobs, faults."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import SPREAD, one_line, spread, table

Content = Mapping[str, Any]


def notices(found: Content) -> str:
    """Return how long after a job's end somebody knows of it."""
    labels = {
        "webhook": "the signed webhook of a job's `callback`",
        "callback": "what the `on_success_callback` of a hand-written DAG posts, same settings",
    }
    lines = [[label, *spread(found[name])] for name, label in labels.items() if name in found]
    text = "Seconds from the end of the run, by its own time, until the request has arrived at a receiver.\n\n"
    return text + table(["what arrives", *SPREAD], lines)


def channel(found: Content) -> str:
    """Return how long it takes from a message to its answer."""
    lines = [[_broker(name), *spread(measured)] for name, measured in found.get("brokers", {}).items()]
    text = "Seconds from publishing the trivial job until its result message is there, one after the other.\n\n"
    return text + table(["broker", *SPREAD], lines)


def gateway(found: Content) -> str:
    """Return how many messages a gateway stores."""
    lines = []
    for name, measured in found.get("brokers", {}).items():
        cells = [f"messages over {_broker(name)}", f"{measured['messages']:,}"]
        lines.append([*cells, f"{measured['published']['median']:.1f}", *spread(measured["per_second"], 0)])
    if rest := found.get("rest"):
        cells = [f"Airflow's own `POST dagRuns`, {rest['clients']} clients", f"{rest['jobs']:,}", "-"]
        lines.append([*cells, f"{rest['per_second']:.0f}", *["-"] * 3, "1"])
    text = "Jobs per second, from the first message until the last job is stored. All are due tomorrow.\n\n"
    return text + table(["way", "jobs", "published within s", *SPREAD], lines)


def listing(found: Content) -> str:
    """Return how long lists take, and how PostgreSQL answers them; `results.json` has the plans themselves."""
    lines = []
    for name, measured in found.get("lists", {}).items():
        plan = found.get("plans", {}).get(name)
        inside = [f"{plan['ms']:.1f}", _index(plan["plan"])] if plan else ["-", "-"]
        if "gave_up" in measured:
            lines.append([name, one_line(measured["gave_up"]), *["-"] * 4, *inside])
        else:
            lines.append([name, *spread(measured), *inside])
    if not lines:
        return table([], [])
    return (
        f"Seconds of one call over REST with {found['jobs']:,} jobs, 50 jobs to a page unless the name says otherwise, "
        "one call after the other; and the milliseconds of the query alone and the index that finds its rows, as "
        "PostgreSQL explains it.\n\n"
    ) + table(["list", *SPREAD, "query, ms", "index"], lines)


def faults(found: Sequence[Content]) -> str:
    """Return what was seen when processes died; the figures were entered by hand."""
    lines = [
        [fault["fault"], fault["must"], fault.get("measured") or "not measured", fault.get("verdict") or ""]
        for fault in found
    ]
    return table(["fault", "must", "measured", ""], lines)


def _broker(name: str) -> str:
    return {"redis": "Redis", "rabbitmq": "RabbitMQ"}.get(name, name)


def _index(plan: Sequence[str]) -> str:
    """Return the first index that a plan names: the one that finds the jobs, before they are joined."""
    found = re.search(r"(?: using|Index Scan on) (\w+)", "\n".join(plan))
    return f"`{found[1]}`" if found else "-"
