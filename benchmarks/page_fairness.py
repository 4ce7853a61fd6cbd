"""The part of the page about a small job beside very many tasks of another type."""

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import SPREAD, one_line, spread, table

Content = Mapping[str, Any]


def fairness(found: Content) -> str:
    """Return how long a small job takes beside a greedy type, and how soon its cancelled jobs leave the slots."""
    small, freed = [], []
    for name, label in (("ours", "ours"), ("airflow", "Airflow's CeleryExecutor, all else as ours")):
        measured = found.get(name, {})
        if "usual" in measured:
            small.append([label, "alone", *spread(measured["usual"])])
        others = {**measured.get("greedy", {}), "tasks for a queue that no agent serves": measured.get("unserved")}
        for what, beside in others.items():
            if not beside:
                continue
            tasks = f"beside {beside['tasks']:,} {what}"
            spread_or_why = (
                spread(beside["small"])
                if "small" in beside
                else [one_line(beside["gave_up"]), *["-"] * (len(SPREAD) - 1)]
            )
            small.append([label, tasks, *spread_or_why])
            free = f"{beside['free']:.1f}" if "free" in beside else one_line(beside["free_gave_up"])
            freed.append([label, tasks, f"{beside['cancelled']:.1f}", free])
    return (
        "Seconds from sending the POST of a trivial job until its end is seen, one after the other.\n\n"
        + table(["executor", "the job", *SPREAD], small)
        + "\n\nThen the greedy type's jobs are cancelled: seconds until both calls have answered, and until a "
        "trivial job that was submitted after them is done.\n\n"
        + table(["executor", "", "cancelled", "next job done"], freed)
    )
