"""A server's TLS certificate, as libcurl describes it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_SECONDS_A_DAY = 86_400
_ESCAPED = re.compile(r"(?:\\[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a server showed.

    Attributes:
        subject: whom it is for, such as `CN = example.org`; newer ones can leave it empty.
        issuer: who signed it.
        names: the host names and addresses that it holds for (RFC 5280, 4.2.1.6).
        not_before: when it begins to hold, UTC.
        not_after: when it ends to hold, UTC.
        days_left: until then, counted at the time of the test; negative if it is over.
        verified: whether it was checked against the trusted authorities and the host's name, and stood.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    days_left: float
    verified: bool


def parse_certificate(fields: Sequence[tuple[str, str]], *, verified: bool, now: datetime) -> Certificate | None:
    """Read what CURLINFO_CERTINFO says of one certificate (https://curl.se/libcurl/c/CURLINFO_CERTINFO.html).

    Args:
        fields: names and values.
        verified: whether the connection was verified.
        now: with a zone.

    Returns:
        The certificate; None if the times are missing or not understood.
    """
    values = dict(fields)
    try:
        not_before, not_after = _time(values["Start date"]), _time(values["Expire date"])
    except (KeyError, ValueError):
        return None
    return Certificate(
        subject=_name(values.get("Subject", "")),
        issuer=_name(values.get("Issuer", "")),
        names=_names(values.get("X509v3 Subject Alternative Name", "")),
        not_before=not_before,
        not_after=not_after,
        days_left=(not_after - now).total_seconds() / _SECONDS_A_DAY,
        verified=verified,
    )


def _time(text: str) -> datetime:
    import ssl  # for its reader of these times, which knows the months whatever the locale

    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _name(text: str) -> str:
    """Undo what OpenSSL does to letters outside ASCII: it writes the bytes of their UTF-8 as `\\C3\\BC`."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[0].replace("\\", "")).decode(errors="replace"), text)


def _names(text: str) -> tuple[str, ...]:
    """Split `DNS:example.org, IP Address:192.0.2.1`."""
    return tuple(name.partition(":")[2] for name in text.split(", ") if ":" in name)
