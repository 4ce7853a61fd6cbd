"""Who is owed a notice when a job ends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coinrequest.jobtypes.definition import AppriseNotify, Definition, WebhookNotify

Kind = Literal["webhook", "apprise", "channel"]


@dataclass(frozen=True)
class Recipient:
    """Where a notice goes.

    Attributes:
        kind: by which way.
        destination: a URL (webhook), the name of an Airflow connection (apprise), or `result` (channel).
        secret_connection: the Airflow connection whose password signs a webhook.
        secret: or the secret itself, encrypted.
    """

    kind: Kind
    destination: str
    secret_connection: str | None = None
    secret: str | None = field(default=None, repr=False)


CHANNEL = Recipient("channel", "result")


def outcome_of(state: str) -> str:
    """Return the word for a state that definitions and callbacks use: `success` or `failure`."""
    return "success" if state == "success" else "failure"


def by_definition(definition: Definition, outcome: str) -> Iterator[Recipient]:
    """Yield those whom the job's definition names for an outcome."""
    for notify in definition.notify:
        if outcome not in notify.on:
            continue
        if isinstance(notify, WebhookNotify):
            yield Recipient("webhook", notify.webhook, notify.secret.connection if notify.secret else None)
        elif isinstance(notify, AppriseNotify):
            yield Recipient("apprise", notify.apprise.connection)
        else:
            yield CHANNEL


def by_submission(
    origin: str, callback: Mapping[str, Any] | None, secret: str | None, outcome: str
) -> Iterator[Recipient]:
    """Yield those whom the submission names: its callback, and the channel on which it came.

    Args:
        callback: as it is stored with the job.
        secret: of the callback, encrypted.
    """
    if callback and outcome in callback["on"]:
        yield Recipient("webhook", callback["url"], callback.get("secret_connection"), secret)
    if origin == "channel":
        yield CHANNEL
