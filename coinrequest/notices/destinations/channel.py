"""Publishing a notice to the `result` channel."""

from typing import Protocol

from coinrequest.notices.claims import Claim
from coinrequest.notices.outcome import Outcome


class Publisher(Protocol):
    """Publishes to the `result` channel; thread-safe (`coinrequest.channel.publisher.ResultPublisher`)."""

    def publish_result(self, body: str | bytes) -> None:
        """Return when the broker has confirmed the message; raise if it does not."""


def deliver(claim: Claim, publisher: Publisher | None) -> Outcome:
    """Publish the notice; it is delivered once the broker has confirmed it."""
    if publisher is None:
        return Outcome(error="no channel is configured; set COINREQUEST_CHANNEL_URL")
    try:
        publisher.publish_result(claim.body)
    except Exception as error:  # whatever the broker's client raises, the message is not confirmed
        return Outcome(error=str(error) or type(error).__name__, answered=False)
    return Outcome(delivered=True)
