"""Requests and responses of the guarded HTTP client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from coinrequest.http.certificate import Certificate
from coinrequest.limits import MAX_BODY_BYTES

if TYPE_CHECKING:
    from coinrequest.http.charsets import DecodedText

REDIRECT_LIMIT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request.

    Attributes:
        url: an absolute http or https URL.
        method: the method, in upper case.
        headers: names and values; the caller checks them with `headers.check_headers`.
        body: the body; None for a request without one.
        timeout: seconds for everything, including redirects.
        connect_timeout: seconds to connect, within `timeout`; None for no limit of its own.
        redirect_limit: the number of redirects to follow; with 0 a redirect is returned as the response.
        body_limit: the number of bytes of the decoded body after which reading stops.
        ip_version: 4 or 6 to connect over that version only; None for both.
        verify_tls: False accepts any certificate.
        resolve: addresses to use for host names (lower case, without a trailing dot) instead of resolving them; the
            guard checks these addresses like all others.
        with_certificate: whether to read the certificate of the server, even if it is refused.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: float = 10.0
    connect_timeout: float | None = None
    redirect_limit: int = REDIRECT_LIMIT
    body_limit: int = MAX_BODY_BYTES
    ip_version: Literal[4, 6] | None = None
    verify_tls: bool = True
    resolve: Mapping[str, Sequence[str]] = field(default_factory=dict)
    with_certificate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """The phases of a request in seconds; they add up to the total.

    Attributes:
        resolve: name resolution.
        connect: TCP connection.
        tls: TLS handshake; 0 without TLS.
        first_byte: from the established connection to the first byte of the response.
        transfer: from the first byte to the last byte that was read.
        total: the whole request.
    """

    resolve: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    first_byte: float = 0.0
    transfer: float = 0.0
    total: float = 0.0

    def __add__(self, other: "Phases") -> "Phases":
        """Add the phases of the next hop."""
        return Phases(
            resolve=self.resolve + other.resolve,
            connect=self.connect + other.connect,
            tls=self.tls + other.tls,
            first_byte=self.first_byte + other.first_byte,
            transfer=self.transfer + other.transfer,
            total=self.total + other.total,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A redirect that was followed.

    Attributes:
        url: the URL that redirected, without user information.
        status: the HTTP status code.
        location: the header `Location`, as the server sent it.
        phases: the phases of this hop alone.
        remote_address: such as `192.0.2.1:443` or `[2001:db8::1]:443`.
    """

    url: str
    status: int
    location: str
    phases: Phases
    remote_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response of the last hop.

    Attributes:
        url: the URL that gave this response, without user information.
        status: the HTTP status code.
        headers: values by name in lower case; those of a repeated header are joined with ", " (RFC 9110, 5.3).
            They are read as UTF-8, or as Latin-1 if they are not that.
        body: at most `body_limit` bytes, decompressed.
        truncated: whether the body was longer.
        location: the header `Location` as a URL; empty if there is none.
        phases: the phases, summed over all hops.
        redirects: the redirects that were followed.
        http_version: `1.0`, `1.1`, `2` or `3`.
        remote_address: such as `192.0.2.1:443` or `[2001:db8::1]:443`.
        certificate: the certificate of the server, if it was requested and there is one.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    phases: Phases
    location: str = ""
    redirects: tuple[Hop, ...] = ()
    http_version: str = ""
    remote_address: str = ""
    certificate: Certificate | None = None

    def decoded(self) -> "DecodedText":
        """Decode the body with the character set of the response, or as UTF-8 if it names none; see `charsets`."""
        from coinrequest.http.charsets import decode_text, named_charset

        return decode_text(self.body, named_charset(self.headers.get("content-type", "")), cut=self.truncated)

    def text(self) -> str:
        """Return the body as text; see `decoded`."""
        return self.decoded().text

    def json(self, **options: Any) -> Any:
        """Parse the body as JSON.

        Servers name wrong character sets, or none; JSON starts with ASCII, which gives UTF-16 and UTF-32 away.

        Args:
            options: the options of `json.loads`.

        Raises:
            ValueError: the body is not JSON.
            RecursionError: it is nested too deeply.
        """
        import json

        try:
            return json.loads(self.text(), **options)
        except ValueError:
            if b"\0" not in self.body[:4]:
                raise
            return json.loads(self.body.decode(json.detect_encoding(self.body), "replace"), **options)
