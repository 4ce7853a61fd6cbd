"""How far a job is: how many of its tasks are done, and what those that run report themselves."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True)
class Report:
    """What an action said about its progress last.

    Attributes:
        done: how much is done, in the action's own unit; None: it gave no number.
        total: how much there is to do; None: it is not known.
        message: the unit, or what is being done; may be empty.
        reported_at: when it said so, by the agent's clock; with a zone.
    """

    done: float | None
    total: float | None
    message: str
    reported_at: datetime

    @classmethod
    def read(cls, entry: Any, started_at: datetime | None) -> Self | None:
        """Return the report that is stored beside a task, or None where there is none.

        Args:
            entry: as it is stored; people can change it in Airflow's UI, so anything that is no report is none.
            started_at: when the task's attempt began; what was reported before belongs to an earlier one.
        """
        try:
            report = cls(
                _number(entry["done"]),
                _number(entry["total"]),
                str(entry["message"]),
                datetime.fromisoformat(entry["reported_at"]),
            )
            return None if started_at is None or report.reported_at < started_at else report
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class RunningTask:
    """A task that runs; `map_index` says which item of a mapped task, `report` is None where it reported nothing."""

    task: str
    map_index: int | None
    report: Report | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """Return the task of a row, whose times are ISO 8601."""
        index, started_at = row["map_index"], row["started_at"]
        began = None if started_at is None else datetime.fromisoformat(started_at)
        return cls(row["task"], None if index < 0 else index, Report.read(row["report"], began))


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        tasks_done: how many tasks have ended, however they ended.
        tasks: how many there are; each item of a mapped task is one, from when the items are known.
        running: those that run, at most 100, the first to begin first.
    """

    tasks_done: int
    tasks: int
    running: tuple[RunningTask, ...] = ()


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value
