"""Sending a notice as e-mail or chat message through Apprise: https://appriseit.com."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from coinrequest.airflow.credentials import password_of
from coinrequest.notices.claims import Claim
from coinrequest.notices.outcome import Outcome
from coinrequest.notices.policy import Policy

_LONGEST_RESULT = 4000
# URLs whose host is a server's name; in others it may be a token: slack://token/token/token.
_WITH_A_HOST = ("mailto", "json", "xml", "form")
_TITLES = {"success": "succeeded", "failed": "failed", "cancelled": "was cancelled"}


def deliver(claim: Claim, policy: Policy) -> Outcome:
    """Send the notice to every Apprise URL in the connection's password.

    If only some fail, the destination then names them after the connection, by their positions from 1, so that the
    others do not get the notice again.

    Raises:
        CredentialMissing: there is no such connection, or it has no URL.
    """
    connection, *positions = claim.destination.split()
    urls = dict(enumerate(password_of(connection).split(), start=1))
    if positions:
        urls = {number: url for number, url in urls.items() if str(number) in positions}
    if not urls:
        # Somebody has removed those that failed; nobody would get the notice.
        return Outcome(error=f"the connection has no URL {' and '.join(positions)} any more")
    title, text = message(json.loads(claim.body)["data"])
    seconds = policy.apprise_seconds / max(len(urls), 1)
    found = {number: _send(url, title, text, seconds) for number, url in urls.items()}
    failures = {number: reason for number, reason in found.items() if reason is not None}
    if not failures:
        return Outcome(delivered=True)
    some_delivered = len(failures) < len(found)
    return Outcome(
        error="; ".join(f"URL {number}: {reason}" for number, reason in failures.items()),
        answered=some_delivered,
        remaining=" ".join([connection, *map(str, failures)]) if some_delivered else None,
    )


def message(data: dict[str, Any]) -> tuple[str, str]:
    """Return the title and the text of a message, from the `data` of a notice's body."""
    lines = [("Job", data["job_id"]), ("Type", data["job_type"]), ("State", data["state"])]
    if data["error"]:
        lines.append(("Error", data["error"]["message"]))
    elif data["result"] is not None:
        lines.append(("Result", _shortened(data["result"])))
    # Notices from before version 0.2.0 call the end `finished_at`.
    ended_at = data.get("ended_at", data.get("finished_at"))
    times = (("Submitted", data["submitted_at"]), ("Started", data["started_at"]), ("Ended", ended_at))
    lines += [(name, _time(time)) for name, time in times]
    lines += [(f"Label {name}", value) for name, value in data["labels"].items()]
    lines += [("Job", data["links"]["job"]), ("Run", data["links"]["run"])]
    title = f"{data['job_type']} {_TITLES.get(data['state'], data['state'])}"
    return title, "\n".join(f"{name}: {value}" for name, value in lines)


def _shortened(result: Any) -> str:
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return text if len(text) <= _LONGEST_RESULT else f"{text[:_LONGEST_RESULT]} ..."


def _time(text: str | None) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC" if text else "-"


def _send(url: str, title: str, text: str, seconds: float) -> str | None:
    """Send to one Apprise URL; return the error, without the secrets of the URL, or None."""
    from apprise import Apprise, AppriseAsset, NotifyFormat

    sender = Apprise(asset=AppriseAsset(app_id="coinrequest", secure_logging=True))
    try:
        if not sender.add(url):
            return "not an Apprise URL"
        result = sender.notify(body=text, title=title, body_format=NotifyFormat.TEXT, timeout=seconds)
    except Exception as error:  # Apprise's plugins may raise anything
        return without_secrets(f"{type(error).__name__}: {error}", url)
    if result:
        return None
    reasons = dict.fromkeys(entry.message for entry in result.logs())
    return without_secrets("; ".join(reasons) or "Apprise gave no reason", url)


def without_secrets(text: str, url: str) -> str:
    """Return a text without the URL and the parts of it that may be passwords or tokens."""
    try:
        parts = urlsplit(url)
        password = parts.password or ""
    except ValueError:
        return "the URL cannot be read"
    tokens = [*parts.path.split("/"), *(pair.partition("=")[2] for pair in parts.query.split("&"))]
    if not parts.scheme.startswith(_WITH_A_HOST):
        tokens += parts.netloc.replace("@", ":").split(":")
    tokens = [password, *(token for token in tokens if len(token) > 3)]
    spellings = {spelling for part in (url, *tokens) for spelling in (part, unquote(part))}
    spellings.discard("")
    for secret in sorted(spellings, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
