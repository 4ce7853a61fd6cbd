"""Responses about agents."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from coinrequest.api.models import Answer


class RunningTask(Answer):
    """A task that an agent runs."""

    job: UUID | None = Field(default=None, description="Null for a DAG that is no job type")
    job_type: str | None = Field(default=None, description="Null for a DAG that is no job type")
    dag_id: str | None = Field(default=None, description="Null, like the fields below, for an unknown or hidden task")
    run_id: str | None = Field(default=None, description="Airflow's id of the run")
    task: str | None = None
    map_index: int | None = Field(default=None, description="Which item of a task with `for_each`")
    attempt: int | None = Field(default=None, description="1 for the first")
    since: datetime | None = Field(
        default=None, description="When the agent started it; null if it has just received it"
    )


class Agent(Answer):
    """A process that runs tasks."""

    name: str = Field(examples=["agent1@host-a"])
    host: str = Field(examples=["host-a"])
    queues: list[str] = Field(description="The queues that it serves", examples=[["default"]])
    concurrency: int = Field(description="How many tasks it runs at a time")
    started_at: datetime
    processed: int = Field(description="How many tasks it has received since it started")
    running: list[RunningTask] = Field(description="The tasks that it runs, the longest running first")
    trouble: str | None = Field(description="Why it takes no tasks; null if it takes them")
    actions: dict[str, str] | None = Field(
        description="The actions that it has, each with its package and version; null if an older agent does not tell",
        examples=[{"url.test": "coinrequest 0.2.0"}],
    )


class AgentList(Answer):
    """The agents that responded."""

    agents: list[Agent]
