"""The errors of the guarded HTTP client."""

from typing import TYPE_CHECKING

from coinrequest.errors import CoinrequestError

if TYPE_CHECKING:
    from coinrequest.http.certificate import Certificate
    from coinrequest.http.messages import Hop


class RequestFailed(CoinrequestError):
    """A request got no response: the name does not resolve, the connection fails, TLS fails or the time runs out.

    Attributes:
        url: the URL that gave no response, without user information; empty if no connection was attempted.
        remote_address: the address of the last connection or attempt, such as `192.0.2.1:443`; empty if there is none.
        redirects: the redirects before it.
        status: of the response, if it began but could not be read to its end; otherwise 0.
        certificate: the refused certificate, if it was requested and could be read.
    """

    url: str = ""
    remote_address: str = ""
    redirects: "tuple[Hop, ...]" = ()
    status: int = 0
    certificate: "Certificate | None" = None


class CertificateRefused(RequestFailed):
    """The certificate of the server could not be verified."""


class UrlRefused(RequestFailed):
    """The URL is malformed, or the guard refuses its address."""
