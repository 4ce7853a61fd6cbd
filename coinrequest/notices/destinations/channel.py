"""Publishing a notice on the `result` channel."""

from typing import Protocol

from coinrequest.notices.claims import Claim
from coinrequest.notices.outcome import Outcome


class Publisher(Protocol):
    """Publishes on the `result` channel, from several threads (`coinrequest.channel.publisher.ResultPublisher`)."""

    def publish_result(self, body: str | bytes) -> None:
        """Return when the broker has confirmed the message; raise where it has not."""


def deliver(claim: Claim, publisher: Publisher | None) -> Outcome:
    """Publish the notice; it is delivered once the broker has confirmed it."""
    if publisher is None:
        return Outcome(error="no channel is configured; set COINREQUEST_CHANNEL_URL")
    try:
        publisher.publish_result(claim.body)
    except Exception as error:  # whatever the client of the broker raises, there was no confirmation
        return Outcome(error=str(error) or type(error).__name__, answered=False)
    return Outcome(delivered=True)
