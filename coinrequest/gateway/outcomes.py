"""What can become of a message."""

from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID


class Wanted(Protocol):
    """A job that a message asks for."""

    @property
    def job_id(self) -> UUID:
        """The id that its publisher chose."""

    @property
    def job_type(self) -> str:
        """The name of its type."""


class MessageRefused(Exception):
    """No job can be made of a message.

    Attributes:
        reason: every field that is wrong, for the publisher.
        job_id: None where it cannot be read.
        job_type: None likewise.
    """

    def __init__(self, reason: str, job_id: UUID | None = None, job_type: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.job_id = job_id
        self.job_type = job_type


@dataclass(frozen=True)
class Outcome:
    """What became of a job that a message asks for.

    Attributes:
        kind: `stored`: a new job; `known`: a job has this id already; `refused`: there will be none; `postponed`:
            the database could not say, so it has to be asked again.
        reason: of a refusal or a postponement.
    """

    kind: Literal["stored", "known", "refused", "postponed"]
    reason: str = ""
