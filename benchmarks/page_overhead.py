"""The part of the page about what an action costs besides its work."""

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import SPREAD, spread, table

Content = Mapping[str, Any]

# The measured values are the actions' names; beside them is how the run went.
_ACTIONS = ("url.test", "coin.prices")


def overhead(found: Content) -> str:
    """Return what comes on top of the work, of that the part around the action, and the work."""
    labels = {"overhead": "all but the work", "platform": "of it outside the action", "work": "the work"}
    lines = [
        [f"`{name}`", label, *spread(found[name][part], 4)]
        for name in _ACTIONS
        if name in found
        for part, label in labels.items()
    ]
    text = "Seconds within a task on a warm agent, from the operator's first line to its last.\n\n"
    return text + table(["action", "what", *SPREAD], lines)
