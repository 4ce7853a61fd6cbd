"""The possible outcomes of a message."""

from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from coinrequest.errors import CoinrequestError


class RequestedJob(Protocol):
    """A job that a message requests."""

    @property
    def job_id(self) -> UUID:
        """The id that its publisher chose."""

    @property
    def job_type(self) -> str:
        """The name of its type."""


class MessageRefused(CoinrequestError):
    """No job can be created from a message.

    Attributes:
        reason: every field that is wrong, for the publisher.
        job_id: the id in the message; None if there is no valid one.
        job_type: the job type in the message; None if there is none.
    """

    def __init__(self, reason: str, job_id: UUID | None = None, job_type: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.job_id = job_id
        self.job_type = job_type


@dataclass(frozen=True)
class Outcome:
    """The outcome of a message.

    Attributes:
        kind: `stored` if it became a job, `known` if a job has its id already, `refused` if it never becomes one,
            `postponed` if the database was unavailable and it is to be tried again.
        reason: the reason for a refusal or a postponement.
    """

    kind: Literal["stored", "known", "refused", "postponed"]
    reason: str = ""
