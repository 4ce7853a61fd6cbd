"""How a schedule's rules are stored with a DAG, where the scheduler finds them.

Tasks import it, so it imports little. Airflow stores the default arguments with the DAG; no operator has an argument of
these names.
"""

from dataclasses import dataclass
from typing import Any

_OVERLAP = "schedule_overlap"
_CATCH_UP = "schedule_catch_up"


@dataclass(frozen=True)
class Rules:
    """What becomes of due times.

    Attributes:
        overlap: `skip`, `queue` or `allow`: what happens while a scheduled job is queued or running.
        catch_up: whether jobs are made up for times that were missed.
    """

    overlap: str
    catch_up: bool

    def default_args(self) -> dict[str, Any]:
        """Return the default arguments of a DAG that keep the rules."""
        return {_OVERLAP: self.overlap, _CATCH_UP: self.catch_up}


def rules_of(dag: Any) -> Rules | None:
    """Return the rules of a DAG; None if it has none, such as one that another release has stored."""
    if _OVERLAP not in dag.default_args:
        return None
    return Rules(dag.default_args[_OVERLAP], bool(dag.default_args.get(_CATCH_UP)))
