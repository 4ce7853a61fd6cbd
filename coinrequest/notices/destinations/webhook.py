"""Posting a notice to a URL, signed according to Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from coinrequest.airflow import encryption
from coinrequest.airflow.credentials import password_of
from coinrequest.errors import CoinrequestError
from coinrequest.http.errors import RequestFailed, UrlRefused
from coinrequest.http.guard import configured_guard
from coinrequest.http.messages import Request, Response
from coinrequest.http.retry_after import parse_retry_after
from coinrequest.http.transport import send
from coinrequest.http.webhook_address import webhook_refusal
from coinrequest.notices.claims import Claim
from coinrequest.notices.outcome import KEPT, Outcome
from coinrequest.notices.policy import Policy

_GONE = 410
# Characters. Shorter values are not secret, and occur in any text.
_SHORTEST_TOKEN = 3
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]+={0,2}")
_NOT_SIGNING = "the secret is not whsec_ and base64 text, as Standard Webhooks requires"


class SecretInvalid(CoinrequestError):
    """The secret cannot be used for signing; the message does not contain it."""


def deliver(claim: Claim, policy: Policy) -> Outcome:
    """Post the notice. Redirects are not followed, and count as failures.

    Raises:
        CredentialMissing: the connection with the secret does not exist.
        SecretInvalid: the secret cannot be used for signing.
    """
    guard = configured_guard()
    if refusal := webhook_refusal(claim.destination, guard):
        return Outcome(error=f"the URL {refusal}")
    request = Request(
        url=claim.destination,
        method="POST",
        headers=headers_of(claim, datetime.now(UTC)),
        body=claim.body.encode(),
        timeout=policy.webhook_seconds,
        connect_timeout=policy.connect_seconds,
        redirect_limit=0,
        body_limit=KEPT,
    )
    try:
        outcome = _outcome(send(request, guard), datetime.now(UTC))
    except UrlRefused as refused:
        outcome = Outcome(error=str(refused))
    except RequestFailed as failed:
        outcome = Outcome(error=str(failed), answered=False)
    return _without_query(outcome, claim.destination)


def _without_query(outcome: Outcome, url: str) -> Outcome:
    """Return the outcome without the URL's query, which the receiver may repeat in its response."""
    query = urlsplit(url).query
    values = [value for pair in query.split("&") if len(value := pair.partition("=")[2]) > _SHORTEST_TOKEN]
    secrets = sorted({spelling for part in (query, *values) if part for spelling in (part, unquote(part))}, key=len)

    def masked(text: str | None) -> str | None:
        for secret in reversed(secrets):
            text = text and text.replace(secret, "…")
        return text

    return replace(outcome, error=masked(outcome.error), response=masked(outcome.response))


def headers_of(claim: Claim, now: datetime) -> dict[str, str]:
    """Return the headers of an attempt at the time `now` (UTC); without a signature if there is no secret."""
    message_id = f"msg_{claim.id.hex}"
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    secret = _secret(claim)
    if secret is not None:
        headers["webhook-signature"] = _signature(secret, message_id, now, claim.body)
    return headers


def _secret(claim: Claim) -> str | None:
    if claim.secret is not None:
        from cryptography.fernet import InvalidToken

        try:
            return encryption.decrypt(claim.secret)
        except InvalidToken:
            raise SecretInvalid("the callback's secret was encrypted under a key that is not configured") from None
    return password_of(claim.secret_connection) if claim.secret_connection else None


def _signature(secret: str, message_id: str, now: datetime, body: str) -> str:
    from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

    # The library accepts any text as base64, and would sign with a key that nobody can verify.
    if not _SECRET.fullmatch(secret):
        raise SecretInvalid(_NOT_SIGNING)
    try:
        # It ignores the time's zone, and reads its fields as UTC.
        return str(Webhook(secret).sign(message_id, now.astimezone(UTC), body))
    except (ValueError, EmptyWebhookSecretError):
        raise SecretInvalid(_NOT_SIGNING) from None


def _outcome(response: Response, now: datetime) -> Outcome:
    status = response.status
    text = response.body.decode(errors="replace")
    if 200 <= status < 300:
        return Outcome(delivered=True, status=status, response=text)
    wait = parse_retry_after(response.headers.get("retry-after"), now)
    redirected = " with a redirect, which is not followed" if 300 <= status < 400 else ""
    return Outcome(
        status=status,
        error=f"the receiver answered {status}{redirected}",
        response=text,
        retry_at=None if wait is None else now + timedelta(seconds=wait),
        gone=status == _GONE,
    )
