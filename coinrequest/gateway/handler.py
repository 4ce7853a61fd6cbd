"""Handles messages: each is stored, refused or postponed, and acknowledged once that is certain."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from coinrequest.channel.connection import ChannelUnavailable
from coinrequest.channel.incoming import safe_text
from coinrequest.channel.messages import REFUSED, result_message
from coinrequest.channel.publisher import LONGEST_REASON, ResultPublisher
from coinrequest.gateway.outcomes import MessageRefused, Outcome, RequestedJob
from coinrequest.gateway.status import ChannelStatus, Waiting

log = logging.getLogger(__name__)

# A message that fails so often while others are stored is itself the cause, not the database.
MAX_FAILURES = 5
# After so many failures in a row the database counts as unavailable, even if it stored another message just before.
_MAX_FAILURES_IN_A_ROW = 3
_LONGEST_JOB_TYPE = 100

Job = TypeVar("Job", bound=RequestedJob)


@dataclass(frozen=True)
class Delivery(Generic[Job]):
    """A message from the broker, and the job that it requests.

    Attributes:
        message: kombu's message.
        job: the job that it requests, or the reason why it is refused.
        taken_at: when it was delivered, with a zone.
        postponed: whether storing it has failed before.
        failures: how often storing it has failed while others were stored.
    """

    message: Any
    job: Job | MessageRefused
    taken_at: datetime
    postponed: bool = False
    failures: int = 0


class Handler(Generic[Job]):
    """Stores, refuses and acknowledges messages.

    Args:
        store: stores jobs, commits, and returns an outcome for each.
        publisher: publishes the refusals.
        status: counts the outcomes, and tracks the messages that wait.
    """

    def __init__(
        self, store: Callable[[Sequence[Job]], Sequence[Outcome]], publisher: ResultPublisher, status: ChannelStatus
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._status = status

    def handle(self, deliveries: Sequence[Delivery[Job]]) -> list[Delivery[Job]]:
        """Handle deliveries; return those to try again, the ones that failed just now last.

        New messages are stored in one batch. Postponed ones are tried one by one, so that a message that cannot be
        stored blocks no other; if the first fails, the database counts as unavailable.

        Raises:
            ChannelUnavailable: the broker does not accept a refusal.
        """
        new: list[Delivery[Job]] = []
        postponed: list[Delivery[Job]] = []
        for delivery in deliveries:
            if isinstance(delivery.job, MessageRefused):
                self._refuse(delivery.message, delivery.job)
            else:
                (postponed if delivery.postponed else new).append(delivery)
        failed: list[tuple[Delivery[Job], Outcome]] = []
        batches = [*([new] if new else []), *([delivery] for delivery in postponed)]
        others_stored, in_a_row, tried = False, 0, 0
        for batch in batches:
            if in_a_row >= (_MAX_FAILURES_IN_A_ROW if others_stored else 1):
                break
            tried += 1
            failures = self._store_batch(batch)
            failed += failures
            others_stored |= len(failures) < len(batch)
            in_a_row = in_a_row + 1 if failures else 0
        waiting = [delivery for batch in batches[tried:] for delivery in batch]
        for delivery, outcome in failed:
            waiting += self._postpone(delivery, outcome, others_stored=others_stored)
        since = min((delivery.taken_at for delivery in waiting), default=None)
        self._status.set_waiting(Waiting(len(waiting), since, failed[-1][1].reason if failed else ""))
        return waiting

    def _store_batch(self, batch: Sequence[Delivery[Job]]) -> list[tuple[Delivery[Job], Outcome]]:
        """Store jobs; return the deliveries that could not be stored, each with its outcome."""
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
        log.info("Job %s: %s", job.job_id, "stored" if outcome.kind == "stored" else "exists already")
        delivery.message.ack()
        self._status.count(outcome.kind)

    def _postpone(self, delivery: Delivery[Job], outcome: Outcome, *, others_stored: bool) -> list[Delivery[Job]]:
        """Return the delivery, which is to wait; refuse it and return nothing if it alone has failed too often."""
        failures = delivery.failures + others_stored
        if failures < MAX_FAILURES:
            return [replace(delivery, postponed=True, failures=failures)]
        reason = f"the job could not be stored {failures} times, while others were: {outcome.reason}"
        self._settle(delivery, Outcome("refused", reason))
        return []

    def _refuse(self, message: Any, refusal: MessageRefused) -> None:
        """Dead-letter a message, publish the reason as its result, and acknowledge it after both."""
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
            log.error("Dead-lettering a message without its headers: %s", type(error).__name__)
            self._publisher.dead_letter(message.body, reason)
        self._publisher.publish_result(
            result_message(refusal.job_id, job_type, REFUSED, None, reason, datetime.now(UTC))
        )
        message.ack()
        self._status.count("refused")
