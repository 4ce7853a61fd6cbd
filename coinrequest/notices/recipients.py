"""Who is owed a notice when a job ends."""

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


def by_submission(origin: str, callback: Any, secret: str | None, outcome: str) -> Iterator[Recipient]:
    """Yield those whom the submission names: its callback, and the channel on which it came.

    Args:
        callback: as it is stored with the job.
        secret: of the callback, encrypted.
    """
    if callback is not None:
        try:
            told = Callback.read(callback, secret)
        except ValueError:
            log.exception("A callback cannot be read; whom it names is not told")
        else:
            if outcome in told.on:
                yield Recipient("webhook", told.url, told.secret_connection, told.secret)
    if origin == "channel":
        yield CHANNEL
