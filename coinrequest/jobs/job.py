"""What a job is to those who ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

State = Literal["queued", "running", "success", "failed", "removed"]


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
        run_after: it does not start before.
        result: the output of the definition's `result` task, once the job succeeded; a list where that task is
            mapped.
    """

    id: UUID
    job_type: str
    revision: int
    state: State
    params: Mapping[str, Any]
    submitted_by: str
    submitted_at: datetime
    run_after: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Any = None
    error: JobError | None = None

    @property
    def done(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("success", "failed", "removed")
