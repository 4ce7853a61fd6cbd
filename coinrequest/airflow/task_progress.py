"""The progress of a job: how many of its tasks are done, and what its running tasks report."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True)
class Report:
    """The last report of an action about its progress.

    Attributes:
        done: how much is done, in the action's own unit; None if it gave no number.
        total: how much there is to do; None if that is unknown.
        message: the unit, or the current step; may be empty.
        reported_at: when it was reported, by the agent's clock; with a zone.
    """

    done: float | None
    total: float | None
    message: str
    reported_at: datetime

    @classmethod
    def read(cls, entry: Any, started_at: datetime | None) -> Self | None:
        """Return the report that a task has stored, or None if there is none.

        Args:
            entry: as it is stored; people can edit it in Airflow's UI, so an unreadable entry counts as none.
            started_at: when the attempt started; an earlier report belongs to an earlier attempt.
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
    """A running task; `map_index` is the item of a mapped task, `report` is None if it has reported nothing."""

    task: str
    map_index: int | None
    report: Report | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """Return the task of a row; times are in ISO 8601."""
        index, started_at = row["map_index"], row["started_at"]
        began = None if started_at is None else datetime.fromisoformat(started_at)
        return cls(row["task"], None if index < 0 else index, Report.read(row["report"], began))


@dataclass(frozen=True)
class Progress:
    """The progress of a job.

    Attributes:
        tasks_done: how many tasks have ended, successfully or not.
        tasks: how many there are; each item of a mapped task counts, once the items are known.
        running: the running tasks, at most 100, those that started first in front.
    """

    tasks_done: int
    tasks: int
    running: tuple[RunningTask, ...] = ()


def _number(value: Any) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    if isinstance(value, bool) or not is_number:
        raise ValueError(f"{value!r} is no number")
    number: float = value
    return number
