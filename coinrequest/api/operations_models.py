"""What the service answers to those who operate the installation."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from coinrequest.api.models import Answer


class RunningTask(Answer):
    """A task that an agent runs."""

    job: UUID | None = Field(default=None, description="Null for a DAG that is no job type")
    job_type: str | None = Field(default=None, description="Null for a DAG that is no job type")
    dag_id: str | None = Field(default=None, description="Null, as all that follows, for a message of another kind")
    run_id: str | None = Field(default=None, description="Airflow's id of the run")
    task: str | None = None
    map_index: int | None = Field(default=None, description="Which item of a task with `for_each`")
    attempt: int | None = Field(default=None, description="1 for the first")
    since: datetime | None = Field(default=None, description="When the agent began; null: it has just taken it")


class Agent(Answer):
    """A process that runs tasks."""

    name: str = Field(examples=["agent1@host-a"])
    host: str = Field(examples=["host-a"])
    queues: list[str] = Field(description="The queues whose tasks it may take", examples=[["default"]])
    concurrency: int = Field(description="So many tasks at a time")
    started_at: datetime
    processed: int = Field(description="Tasks that it took since it started")
    running: list[RunningTask] = Field(description="What it runs now, longest first")
    trouble: str | None = Field(description="Why it takes no tasks; null: it takes them")


class AgentList(Answer):
    """The agents that answered."""

    agents: list[Agent]
