"""A connection as the server of requests: its credentials go to its own origin, and nowhere else.

What Airflow's HTTP hook reads of a connection is read here too, see
https://airflow.apache.org/docs/apache-airflow-providers-http/stable/connections/http.html
"""

import base64
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from coinrequest.actions.context import Connection, ConnectionUnavailable
from coinrequest.actions.masking import Masking
from coinrequest.http.errors import UrlRefused
from coinrequest.http.headers import check_headers
from coinrequest.http.target import Target, parse_target

KINDS = ("http", "https")

log = logging.getLogger(__name__)

# Options of Airflow's hook that are no headers. They say nothing here: TLS is always verified, no proxy is used.
_NO_HEADERS = frozenset(
    {"allow_redirects", "cert", "check_response", "max_redirects", "proxies", "proxy", "srv_lookup", "stream"}
    | {"timeout", "trust_env", "verify", "verify_ssl"}
)
# Everything else that a connection sends can be a secret.
_PUBLIC_HEADERS = frozenset({"accept", "accept-language", "cache-control", "content-type", "prefer", "user-agent"})


@dataclass(frozen=True, slots=True)
class Access:
    """A request that may carry a connection's credentials.

    Attributes:
        url: absolute, of the connection's own origin.
        headers: what is sent, the credentials among it.
        masking: hides the credentials where the server repeats them.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    masking: Masking = field(repr=False)


def access(connection: Connection, url: str, headers: Mapping[str, str]) -> Access:
    """Give a request a connection's credentials.

    Args:
        connection: of kind `http` or `https`.
        url: a path, which is joined to the connection's base URL, or an absolute URL of the same origin.
        headers: what else is sent.

    Raises:
        ConnectionUnavailable: the connection cannot be used for requests, or not for this URL or these headers.
    """
    if connection.kind not in KINDS:
        raise ConnectionUnavailable(
            f"connection {connection.name!r} is of kind {connection.kind!r}; requests are sent through one of kind http"
        )
    base = _base(connection)
    target = _target(connection, base, url)
    own = _headers(connection)
    sent = _joined(connection, own, headers)
    if base.scheme == "http" and any(name.lower() not in _PUBLIC_HEADERS for name in own):
        log.warning("connection %s sends its credentials without encryption: it names no https", connection.name)
    return Access(target.url, sent, Masking(_secrets(connection, own)))


def _base(connection: Connection) -> Target:
    """Return where a connection leads; as with Airflow's hook it is `http` where it says nothing else."""
    host = connection.host
    if "://" not in host:
        in_brackets = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
        host = f"{connection.database or connection.kind}://{in_brackets}"
    try:
        base = parse_target(host)
    except UrlRefused as error:
        raise ConnectionUnavailable(f"connection {connection.name!r} names no server: {error}") from None
    if base.username or base.password:
        raise ConnectionUnavailable(
            f"connection {connection.name!r} has a user name in its host; it belongs into the login"
        )
    if "?" in base.path:
        raise ConnectionUnavailable(f"connection {connection.name!r} has a query in its host")
    has_port = base.port != {"http": 80, "https": 443}[base.scheme]
    return base if has_port or connection.port is None else replace(base, port=connection.port)


def _target(connection: Connection, base: Target, url: str) -> Target:
    if url.startswith("/"):
        # Joined as text, so that "//other.test/" is a path here too.
        url = replace(base, path=base.path.rstrip("/")).url + url
    try:
        target = parse_target(url)
    except UrlRefused as error:
        raise ConnectionUnavailable(
            f"with connection {connection.name!r} the URL is a path that begins with a slash, or absolute: {error}"
        ) from None
    if target.origin != base.origin:
        own, other = (replace(one, path="").url for one in (base, target))
        raise ConnectionUnavailable(f"connection {connection.name!r} is for {own}, and not for {other}")
    if target.username or target.password:
        raise ConnectionUnavailable(f"with connection {connection.name!r} the URL has no user name of its own")
    return target


def _headers(connection: Connection) -> dict[str, str]:
    """Return the headers that a connection brings: those of its options, and its login and password as one."""
    nested = connection.options.get("headers", {})
    headers = {name: value for name, value in connection.options.items() if name not in {*_NO_HEADERS, "headers"}}
    headers |= nested if isinstance(nested, Mapping) else {"headers": nested}
    for name, value in headers.items():
        if not isinstance(value, str):
            raise ConnectionUnavailable(f"connection {connection.name!r}: its option {name!r} is no header: not a text")
    if connection.login or connection.password:
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    if connection.login:
        pair = f"{connection.login}:{connection.password}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"  # RFC 7617
    elif connection.password:
        headers["Authorization"] = f"Bearer {connection.password}"  # RFC 6750
    try:
        check_headers(headers)
    except ValueError as error:
        raise ConnectionUnavailable(f"connection {connection.name!r}: {error}") from None
    return headers


def _joined(connection: Connection, own: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Put a request's headers over the public ones of a connection; the others are not to be replaced."""
    names = {name.lower() for name in own}
    for name in others:
        if name.lower() in names - _PUBLIC_HEADERS:
            raise ConnectionUnavailable(f"the header {name} comes from connection {connection.name!r}")
    given = {name.lower() for name in others}
    return {name: value for name, value in own.items() if name.lower() not in given} | dict(others)


def _secrets(connection: Connection, own: Mapping[str, str]) -> Iterator[str]:
    yield connection.password
    if not connection.password:
        yield connection.login  # some services take a key for a login
    for name, value in own.items():
        if name.lower() not in _PUBLIC_HEADERS:
            yield value
            yield value.rpartition(" ")[2]  # what stands behind "Bearer" or "Token"
