"""A server's TLS certificate, as libcurl describes it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_SECONDS_A_DAY = 86_400
_ESCAPED = re.compile(r"(?:\\[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The certificate of a TLS server.

    Attributes:
        subject: the owner, such as `CN = example.org`; newer certificates may leave it empty.
        issuer: the authority that signed it.
        names: the host names and addresses for which it is valid (RFC 5280, 4.2.1.6).
        not_before: the start of its validity, in UTC.
        not_after: the end of its validity, in UTC.
        days_left: days until it expires, at the time of the test; negative if it has expired.
        verified: whether its chain and its host name were checked successfully.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    days_left: float
    verified: bool


def parse_certificate(fields: Sequence[tuple[str, str]], *, verified: bool, now: datetime) -> Certificate | None:
    """Parse one certificate of CURLINFO_CERTINFO (https://curl.se/libcurl/c/CURLINFO_CERTINFO.html).

    Args:
        fields: names and values.
        verified: whether libcurl verified the certificate.
        now: the current time, with a time zone.

    Returns:
        The certificate; None if its dates are missing or malformed.
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
    import ssl  # its parser knows the English names of the months in every locale

    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _name(text: str) -> str:
    """Undo OpenSSL's escapes of letters outside ASCII: it writes the bytes of their UTF-8 as `\\C3\\BC`."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[0].replace("\\", "")).decode(errors="replace"), text)


def _names(text: str) -> tuple[str, ...]:
    """Split `DNS:example.org, IP Address:192.0.2.1`."""
    return tuple(name.partition(":")[2] for name in text.split(", ") if ":" in name)
