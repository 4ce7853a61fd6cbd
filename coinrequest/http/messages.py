"""What is sent and what comes back: requests, answers, and the parts of them that are reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from coinrequest.http.certificate import Certificate
from coinrequest.limits import MAX_BODY_BYTES

REDIRECT_LIMIT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send.

    Attributes:
        url: absolute, http or https.
        method: upper case.
        headers: names and values, checked by the caller to hold no line ends (`headers.check_headers`).
        body: None sends none.
        timeout: seconds for everything, redirects included.
        connect_timeout: of them, seconds until the connection stands; None: no limit of its own.
        redirect_limit: how many redirects are followed; with 0 a redirect is the answer.
        body_limit: bytes of the (decoded) answer's body after which reading stops.
        ip_version: 4 or 6 for connections of one kind only; None: both.
        verify_tls: False accepts any certificate.
        resolve: host names (lower case, without a dot at the end) and the addresses to use instead of looking the
            names up; each exchange asks the mapping once, and the guard judges these addresses like all others.
        with_certificate: whether the server's certificate is read, also where it is refused.
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
    """Where the time went, in seconds; the parts add up to the total.

    Attributes:
        resolve: name resolution.
        connect: TCP connection.
        tls: TLS handshake, 0 without TLS.
        first_byte: from the connection ready to the first byte of the answer.
        transfer: from there to the last byte that was read.
        total: everything.
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
    """One redirect on the way.

    Attributes:
        url: the URL that answered, without user information.
        status: HTTP status code.
        location: where it pointed, as the server wrote it.
        phases: seconds of this hop alone.
        remote_address: such as `192.0.2.1:443` or `[2001:db8::1]:443`.
    """

    url: str
    status: int
    location: str
    phases: Phases
    remote_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back from the last hop.

    Attributes:
        url: the URL that gave this answer, without user information.
        status: HTTP status code.
        headers: names in lower case; a repeated one is joined with ", " (RFC 9110, 5.3).
        body: at most `body_limit` bytes.
        truncated: whether the body was longer.
        phases: seconds, summed over all hops.
        redirects: the hops before it.
        http_version: `1.0`, `1.1`, `2` or `3`.
        remote_address: such as `192.0.2.1:443` or `[2001:db8::1]:443`.
        certificate: the server's own, if it was asked for and there is one.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    phases: Phases
    redirects: tuple[Hop, ...] = ()
    http_version: str = ""
    remote_address: str = ""
    certificate: Certificate | None = None
