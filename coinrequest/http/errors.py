"""What can go wrong with a request to somebody else's server."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coinrequest.http.certificate import Certificate
    from coinrequest.http.messages import Hop


class RequestFailed(Exception):
    """No answer came (no such name, nobody listens, time over, TLS); the text says which.

    Attributes:
        url: the URL that gave no answer, without user information; empty if it never came to a connection.
        remote_address: what was connected to, or tried last, such as `192.0.2.1:443`; empty if nothing was.
        redirects: the hops before it.
        certificate: the one that was refused, if it was asked for and could be read.
    """

    url: str = ""
    remote_address: str = ""
    redirects: "tuple[Hop, ...]" = ()
    certificate: "Certificate | None" = None


class CertificateRefused(RequestFailed):
    """The server's certificate could not be verified."""


class UrlRefused(RequestFailed):
    """The URL, or an address behind it, is one that no request is made to."""
