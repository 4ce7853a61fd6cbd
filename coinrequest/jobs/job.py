"""Jobs as they are read and shown."""

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
        task: the first task that failed; None if no task did, for example because of the job's time limit.
        map_index: the item of a mapped task, counted from 0; None for other tasks.
        helper: the task of Airflow that failed in its place, whose log tells why; None for all others.
    """

    task: str | None
    map_index: int | None
    message: str
    helper: str | None = None


@dataclass(frozen=True)
class WaitingFor:
    """What a job waits for.

    Attributes:
        kind: a word for programs.
        message: the end of a sentence that begins with "It waits for".
        task: the task that waits; None if it is the job itself.
    """

    kind: str
    message: str
    task: str | None = None


@dataclass(frozen=True)
class Job:
    """One run of a job type. All times have a zone (UTC).

    Attributes:
        state: `removed` means that the run was deleted in Airflow.
        params_omitted: whether `params` is empty because they exceed the size limit of the query.
        origin: how it was started; `after` by the end of another type's job, `airflow` in Airflow's UI or API.
        priority: of its tasks, larger is sooner; None: as defined by the job type.
        labels: names and values by which jobs can be listed.
        callback: the webhook that is called when it ends; without its secret if the job was read from the database.
        run_after: the earliest start.
        run_id: of its run in Airflow; the job's own id, unless Airflow itself started the run.
        cancelled_by: who cancelled it, with `cancelled_at` and `cancel_reason`.
        result: the output of the definition's `result` task, once the job has succeeded; a list if that task is
            mapped.
        progress: how far it is; None unless it was requested.
        waiting_for: what it waits for; None if one of its tasks runs, or unless it was requested.
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
    waiting_for: WaitingFor | None = None
    run_id: str = ""

    def __post_init__(self) -> None:
        """Use the job's id as the run id by default."""
        if not self.run_id:
            object.__setattr__(self, "run_id", str(self.id))

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state in DONE


def new_id() -> UUID:
    """Return an id that sorts by time (UUID version 7, RFC 9562), so that new rows are neighbours in indexes."""
    from uuid6 import uuid7

    return UUID(int=uuid7().int)
