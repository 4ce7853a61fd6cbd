"""What becomes of messages: each is stored, refused, or has to wait; it is acknowledged when that is certain."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from coinrequest.channel.connection import ChannelUnavailable
from coinrequest.channel.incoming import safe_text
from coinrequest.channel.messages import REFUSED, result_message
from coinrequest.channel.publisher import LONGEST_REASON, ResultPublisher
from coinrequest.gateway.outcomes import MessageRefused, Outcome, Wanted
from coinrequest.gateway.status import ChannelStatus, Held

log = logging.getLogger(__name__)

# So often a message may fail for the database's sake while others are stored: then it is not the database.
MOST_FAILURES = 5
# After so many failures in a row the database is away, also where something was stored just before.
_IN_A_ROW = 3
_LONGEST_JOB_TYPE = 100

Job = TypeVar("Job", bound=Wanted)


@dataclass(frozen=True)
class Delivery(Generic[Job]):
    """A message as the broker delivered it, and what it asks for.

    Attributes:
        message: kombu's.
        job: what it asks for, or why it is refused.
        taken_at: when it was delivered, with a zone.
        postponed: whether it could not be stored before.
        failures: how often it could not, while others could.
    """

    message: Any
    job: Job | MessageRefused
    taken_at: datetime
    postponed: bool = False
    failures: int = 0


class Handler(Generic[Job]):
    """Stores, refuses and acknowledges.

    Args:
        store: stores jobs, and says of each what became of it; committed when it returns.
        publisher: takes the refusals.
        status: is told what became of messages, and which wait.
    """

    def __init__(
        self, store: Callable[[Sequence[Job]], Sequence[Outcome]], publisher: ResultPublisher, status: ChannelStatus
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._status = status

    def handle(self, deliveries: Sequence[Delivery[Job]]) -> list[Delivery[Job]]:
        """Handle deliveries; return what has to be tried again, what was tried last at the end.

        What comes for the first time is stored at once. What had to wait is tried one by one, so that a message that
        no database takes holds up no other; where the first fails, the database is away.

        Raises:
            ChannelUnavailable: the broker does not take a refusal.
        """
        fresh: list[Delivery[Job]] = []
        again: list[Delivery[Job]] = []
        for delivery in deliveries:
            if isinstance(delivery.job, MessageRefused):
                self._refuse(delivery.message, delivery.job)
            else:
                (again if delivery.postponed else fresh).append(delivery)
        failed: list[tuple[Delivery[Job], Outcome]] = []
        batches = [*([fresh] if fresh else []), *([delivery] for delivery in again)]
        others_pass, in_a_row, tried = False, 0, 0
        for batch in batches:
            if in_a_row >= (_IN_A_ROW if others_pass else 1):
                break
            tried += 1
            found = self._try(batch)
            failed += found
            others_pass |= len(found) < len(batch)
            in_a_row = in_a_row + 1 if found else 0
        waiting = [delivery for batch in batches[tried:] for delivery in batch]
        for delivery, outcome in failed:
            waiting += self._judged(delivery, outcome, others_pass=others_pass)
        since = min((delivery.taken_at for delivery in waiting), default=None)
        self._status.hold(Held(len(waiting), since, failed[-1][1].reason if failed else ""))
        return waiting

    def _try(self, batch: Sequence[Delivery[Job]]) -> list[tuple[Delivery[Job], Outcome]]:
        """Store jobs; return those that the database could not take, each with the reason."""
        failed = []
        outcomes = self._store([delivery.job for delivery in batch if not isinstance(delivery.job, MessageRefused)])
        for delivery, outcome in zip(batch, outcomes, strict=True):
            if outcome.kind == "postponed":
                failed.append((delivery, outcome))
            else:
                self._settle(delivery, outcome)
        return failed

    def _settle(self, delivery: Delivery[Job], outcome: Outcome) -> None:
        job: Any = delivery.job
        if outcome.kind == "refused":
            self._refuse(delivery.message, MessageRefused(outcome.reason, job.job_id, job.job_type))
            return
        log.info("Job %s: %s", job.job_id, "stored" if outcome.kind == "stored" else "is there already")
        delivery.message.ack()
        self._status.count(outcome.kind)

    def _judged(self, delivery: Delivery[Job], outcome: Outcome, *, others_pass: bool) -> list[Delivery[Job]]:
        """Return the message, which waits; or nothing, where it alone has failed too often."""
        failures = delivery.failures + others_pass
        if failures < MOST_FAILURES:
            return [replace(delivery, postponed=True, failures=failures)]
        reason = f"the job could not be stored {failures} times, while others were: {outcome.reason}"
        self._settle(delivery, Outcome("refused", reason))
        return []

    def _refuse(self, message: Any, refusal: MessageRefused) -> None:
        """Put a message aside, tell its publisher why, and acknowledge it when both are at the broker."""
        reason = safe_text(refusal.reason, LONGEST_REASON)
        job_type = None if refusal.job_type is None else safe_text(refusal.job_type, _LONGEST_JOB_TYPE)
        log.warning("Job %s: refused: %s", refusal.job_id or "without an id", reason)
        try:
            self._publisher.dead_letter(
                message.body,
                reason,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                headers=message.headers,
            )
        except ChannelUnavailable:
            raise
        except Exception as error:
            log.error("A message is put aside without its headers: %s", type(error).__name__)
            self._publisher.dead_letter(message.body, reason)
        self._publisher.publish_result(
            result_message(refusal.job_id, job_type, REFUSED, None, reason, datetime.now(UTC))
        )
        message.ack()
        self._status.count("refused")
