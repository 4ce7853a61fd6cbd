"""`container.run`: run a command in a container of its own."""

from typing import ClassVar

from pydantic import BaseModel, Field

from coinrequest.actions.base import Action, ActionFailed, ActionModel


class ContainerRunFailed(ActionFailed):
    """The container did not do its work."""


class ContainerRunInputs(ActionModel):
    """What to run."""

    image: str = Field(description="an image that the administrator allows")
    command: tuple[str, ...] = Field(default=(), strict=False, description="the command and its arguments")


class ContainerRunResult(ActionModel):
    """What became of it."""

    exit_code: int = Field(description="0")
    output: str = Field(description="the end of what it wrote")


class ContainerRun(Action[ContainerRunInputs, ContainerRunResult]):
    """Run a command in a container of its own."""

    name: ClassVar[str] = "container.run"
    summary: ClassVar[str] = "Run a command in a container of its own"
    Inputs: ClassVar[type[BaseModel]] = ContainerRunInputs
    Result: ClassVar[type[BaseModel]] = ContainerRunResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (ContainerRunFailed,)

    @classmethod
    def unavailable(cls) -> str | None:
        """Say that it is not finished."""
        return "container.run is not ready yet"

    def run(self, inputs: ContainerRunInputs) -> ContainerRunResult:
        """Refuse."""
        raise ContainerRunFailed("container.run is not ready yet")
