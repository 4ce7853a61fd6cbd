"""Adds the credentials of a connection to a request, and sends them to the origin of the connection only.

It supports the same fields of a connection as Airflow's HTTP hook:
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

# Options of Airflow's hook that are not headers. They have no effect: TLS is always verified, and no proxy is used.
_HOOK_OPTIONS = frozenset(
    {"allow_redirects", "cert", "check_response", "max_redirects", "proxies", "proxy", "srv_lookup", "stream"}
    | {"timeout", "trust_env", "verify", "verify_ssl"}
)
# Any other header of a connection may be a secret.
_PUBLIC_HEADERS = frozenset({"accept", "accept-language", "cache-control", "content-type", "prefer", "user-agent"})


@dataclass(frozen=True, slots=True)
class AuthorizedRequest:
    """The parts of a request with the credentials of a connection.

    Attributes:
        url: an absolute URL at the origin of the connection.
        headers: all headers, including the credentials.
        masking: masks the credentials in the response.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    masking: Masking = field(repr=False)


def authorize(connection: Connection, url: str, headers: Mapping[str, str]) -> AuthorizedRequest:
    """Add the credentials of a connection to a request.

    Args:
        connection: a connection of type `http` or `https`.
        url: a path, which is joined to the base URL of the connection, or an absolute URL with the same origin.
        headers: the other headers of the request.

    Raises:
        ConnectionUnavailable: the connection is not valid for requests, or not for this URL or these headers.
    """
    if connection.kind not in KINDS:
        raise ConnectionUnavailable(
            f"connection {connection.name!r} has the type {connection.kind!r}; requests need a connection of type http"
        )
    base = _base_url(connection)
    target = _target(connection, base, url)
    own = _headers(connection)
    merged = _merge(connection, own, headers)
    if base.scheme == "http" and any(name.lower() not in _PUBLIC_HEADERS for name in own):
        log.warning(
            "The connection %s sends its credentials unencrypted, because it does not use https", connection.name
        )
    return AuthorizedRequest(target.url, merged, Masking(_secrets(connection, own)))


def _base_url(connection: Connection) -> Target:
    """Return the base URL of a connection; like Airflow's hook, it defaults to `http`."""
    host = connection.host
    if "://" not in host:
        in_brackets = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
        host = f"{connection.database or connection.kind}://{in_brackets}"
    try:
        base = parse_target(host)
    except UrlRefused as error:
        raise ConnectionUnavailable(f"connection {connection.name!r} has no valid host: {error}") from None
    if base.username or base.password:
        raise ConnectionUnavailable(f"connection {connection.name!r} has a user name in its host; move it to the login")
    if "?" in base.path:
        raise ConnectionUnavailable(f"connection {connection.name!r} has a query in its host")
    has_port = base.port != {"http": 80, "https": 443}[base.scheme]
    return base if has_port or connection.port is None else replace(base, port=connection.port)


def _target(connection: Connection, base: Target, url: str) -> Target:
    if url.startswith("/"):
        # Concatenated, so that "//other.test/" is taken for a path too.
        url = replace(base, path=base.path.rstrip("/")).url + url
    try:
        target = parse_target(url)
    except UrlRefused as error:
        raise ConnectionUnavailable(
            f"with connection {connection.name!r}, the URL must be absolute or a path with a leading slash: {error}"
        ) from None
    if target.origin != base.origin:
        own, other = (replace(one, path="").url for one in (base, target))
        raise ConnectionUnavailable(f"connection {connection.name!r} is for {own}, not for {other}")
    if target.username or target.password:
        raise ConnectionUnavailable(f"with connection {connection.name!r}, the URL cannot have a user name")
    return target


def _headers(connection: Connection) -> dict[str, str]:
    """Return the headers of a connection: its options, and `Authorization` for its login and password."""
    nested = connection.options.get("headers", {})
    headers = {name: value for name, value in connection.options.items() if name not in {*_HOOK_OPTIONS, "headers"}}
    headers |= nested if isinstance(nested, Mapping) else {"headers": nested}
    for name, value in headers.items():
        if not isinstance(value, str):
            raise ConnectionUnavailable(f"connection {connection.name!r}: the option {name!r} is not a text")
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


def _merge(connection: Connection, own: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Merge the headers; a request may override only the public headers of a connection."""
    names = {name.lower() for name in own}
    for name in others:
        if name.lower() in names - _PUBLIC_HEADERS:
            raise ConnectionUnavailable(f"the header {name} cannot be set: connection {connection.name!r} sets it")
    given = {name.lower() for name in others}
    return {name: value for name, value in own.items() if name.lower() not in given} | dict(others)


def _secrets(connection: Connection, own: Mapping[str, str]) -> Iterator[str]:
    yield connection.password
    if not connection.password:
        yield connection.login  # some services use a key as the login
    for name, value in own.items():
        if name.lower() not in _PUBLIC_HEADERS:
            yield value
            yield value.rpartition(" ")[2]  # the part after "Bearer" or "Token"
