"""The recipients of notices when a job ends."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from coinrequest.jobs.callback import Callback
from coinrequest.jobtypes.definition import AppriseNotify, Definition, WebhookNotify

log = logging.getLogger(__name__)

Kind = Literal["webhook", "apprise", "channel"]


@dataclass(frozen=True)
class Recipient:
    """The recipient of a notice.

    Attributes:
        kind: how it is delivered.
        destination: a URL (webhook), the name of an Airflow connection (apprise), or `result` (channel).
        secret_connection: the Airflow connection whose password signs a webhook.
        secret: the secret itself, encrypted.
    """

    kind: Kind
    destination: str
    secret_connection: str | None = None
    secret: str | None = field(default=None, repr=False)


CHANNEL = Recipient("channel", "result")


def outcome_of(state: str) -> str:
    """Return the outcome of a state, as definitions and callbacks name it: `success` or `failure`."""
    return "success" if state == "success" else "failure"


def by_definition(definition: Definition, outcome: str) -> Iterator[Recipient]:
    """Yield the recipients in the job's definition."""
    for notify in definition.notify:
        if outcome not in notify.on:
            continue
        if isinstance(notify, WebhookNotify):
            yield Recipient("webhook", notify.webhook, notify.secret.connection if notify.secret else None)
        elif isinstance(notify, AppriseNotify):
            yield Recipient("apprise", notify.apprise.connection)
        else:
            yield CHANNEL


def by_submission(origin: str, callback: Any, secret: str | None, outcome: str) -> Iterator[Recipient]:
    """Yield the recipients in the submission: its callback, and the channel if it came from there.

    Args:
        callback: as stored with the job.
        secret: of the callback, encrypted.
    """
    if callback is not None:
        try:
            found = Callback.read(callback, secret)
        except ValueError:
            log.exception("Cannot read a callback; it gets no notice")
        else:
            if outcome in found.on:
                yield Recipient("webhook", found.url, found.secret_connection, found.secret)
    if origin == "channel":
        yield CHANNEL
