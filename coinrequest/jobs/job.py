"""What a job is to those who ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from coinrequest.airflow.task_progress import Progress
from coinrequest.jobs.callback import Callback

State = Literal["queued", "running", "success", "failed", "cancelled", "removed"]
Origin = Literal["rest", "channel", "schedule", "after", "backfill", "airflow"]

DONE: frozenset[State] = frozenset({"success", "failed", "cancelled", "removed"})


@dataclass(frozen=True)
class JobError:
    """Why a job failed.

    Attributes:
        task: the first task that failed; None when no task did (the job's own time limit, for example).
        map_index: which item of a mapped task; None for other tasks.
    """

    task: str | None
    map_index: int | None
    message: str


@dataclass(frozen=True)
class Job:
    """One run of a job type. All times have a zone (UTC).

    Attributes:
        state: `removed` says that the run was deleted in Airflow.
        params_omitted: whether `params` is empty because they are too long for where the job was read.
        origin: by which way it was started; `after` is the end of another type's job, `airflow` Airflow's own button
            or API.
        priority: of its tasks, larger is sooner; None: as the definition says.
        labels: names and values by which it is found.
        callback: who is told when it ends; without its secret where the job was read again.
        run_after: it does not start before.
        run_id: of its run in Airflow; the job's own id, except where Airflow itself started the run.
        cancelled_by: who cancelled it, with `cancelled_at` and `cancel_reason`.
        result: the output of the definition's `result` task, once the job succeeded; a list where that task is
            mapped.
        progress: how far it is, where that was asked for.
    """

    id: UUID
    job_type: str
    revision: int
    state: State
    params: Mapping[str, Any]
    submitted_by: str
    submitted_at: datetime
    params_omitted: bool = False
    origin: Origin = "rest"
    priority: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    callback: Callback | None = None
    run_after: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancelled_by: str | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    result: Any = None
    error: JobError | None = None
    progress: Progress | None = None
    run_id: str = ""

    def __post_init__(self) -> None:
        """Name the run as the job, where nobody else named it."""
        if not self.run_id:
            object.__setattr__(self, "run_id", str(self.id))

    @property
    def done(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in DONE


def new_id() -> UUID:
    """Return an id that sorts by time (UUID version 7, RFC 9562), so that new rows are neighbours in indexes."""
    from uuid6 import uuid7

    return UUID(int=uuid7().int)
