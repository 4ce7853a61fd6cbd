"""The headers of a webhook, as Standard Webhooks requires them."""

import base64
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks.webhooks import Webhook

from coinrequest.notices.claims import Claim
from coinrequest.notices.destinations import webhook
from coinrequest.notices.destinations.webhook import SecretInvalid, headers_of

SECRET = "whsec_" + base64.b64encode(b"0123456789" * 3).decode()
BODY = '{"type": "job.completed", "data": {"result": "£"}}'


def claim(connection: str | None = None) -> Claim:
    now = datetime.now(UTC)
    return Claim(
        id=uuid.UUID("0190c2f3-0000-7000-8000-00000000abcd"),
        kind="webhook",
        destination="https://example.org/hook",
        secret_connection=connection,
        secret=None,
        body=BODY,
        attempts=0,
        give_up_at=now,
        receiver="https://example.org",
        lease=now,
    )


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_the_signature_is_valid_in_any_zone(zone: timezone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "password_of", {"hook": SECRET}.__getitem__)
    now = datetime.now(zone)
    headers = headers_of(claim("hook"), now)
    assert headers["webhook-id"] == "msg_0190c2f300007000800000000000abcd"
    assert headers["webhook-timestamp"] == str(int(now.timestamp()))
    assert Webhook(SECRET).verify(BODY.encode(), headers) == {"type": "job.completed", "data": {"result": "£"}}


def test_without_a_secret_nothing_is_signed() -> None:
    assert set(headers_of(claim(), datetime.now(UTC))) == {"content-type", "webhook-id", "webhook-timestamp"}


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "plain words", "whsec_a", SECRET.removeprefix("whsec_"), SECRET + "!"]
)
def test_an_invalid_secret_signs_nothing_and_is_not_shown(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "password_of", lambda _: secret)
    with pytest.raises(SecretInvalid) as raised:
        headers_of(claim("hook"), datetime.now(UTC))
    assert len(secret) < 7 or secret not in str(raised.value)
