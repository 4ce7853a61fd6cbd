"""The part of the page about messages: notices, the channel, lists of many jobs, faults."""

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
    """Return how long lists take, and how PostgreSQL answers them."""
    lines = []
    for name, measured in found.get("lists", {}).items():
        plan = found.get("plans", {}).get(name)
        inside = f"{plan['ms']:.1f}" if plan else "-"
        if "gave_up" in measured:
            lines.append([name, one_line(measured["gave_up"]), *["-"] * 4, inside])
        else:
            lines.append([name, *spread(measured), inside])
    if not lines:
        return table([], [])
    text = (
        f"Seconds of one call over REST with {found['jobs']:,} jobs, 50 jobs to a page unless the name says otherwise, "
        "one call after the other; and the milliseconds of the query alone, as PostgreSQL explains it.\n\n"
    ) + table(["list", *SPREAD, "query, ms"], lines)
    plans = "\n".join(_plan(name, plan["plan"]) for name, plan in found.get("plans", {}).items())
    if plans:
        text += f"\n\n<details><summary>The first lines of each plan</summary>\n\n```text\n{plans}\n```\n\n</details>"
    return text


def faults(found: Sequence[Content]) -> str:
    """Return what was seen when processes died; the figures were entered by hand."""
    lines = [
        [fault["fault"], fault["must"], fault.get("measured") or "not measured", fault.get("verdict") or ""]
        for fault in found
    ]
    return table(["fault", "must", "measured", ""], lines)


def _broker(name: str) -> str:
    return {"redis": "Redis", "rabbitmq": "RabbitMQ"}.get(name, name)


def _plan(name: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{name}:", *(f"    {line}" for line in lines if "Buffers:" not in line)])
