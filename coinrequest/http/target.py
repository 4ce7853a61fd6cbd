"""A strict parser of URLs, so that no other parser can disagree about the host."""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import quote, unquote_to_bytes, urlsplit

from coinrequest.http.errors import UrlRefused

MAX_URL_LENGTH = 8_192

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HOST_AND_PORT_ONLY = re.compile(r"[^:/?#]+:\d+(?:[/?#]|$)")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{0,5}))?")
_HOST = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
# If the last label is a number, browsers and libcurl take the host for an IPv4 address
# (https://url.spec.whatwg.org/#ends-in-a-number-checker). No top-level domain is a number.
_NUMBER_AT_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0[Xx][0-9A-Fa-f]*)\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# The characters that RFC 3986 allows in a path or a query, and "%", so that existing escapes stay as they are.
_UNESCAPED = "/?:@!$&'()*+,;=-._~%[]"


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL that a request needs.

    Attributes:
        scheme: `http` or `https`.
        host: the host in lower case and in ASCII; an IPv6 address without its brackets.
        port: 1 to 65535.
        path: the path and the query, in ASCII and with a leading slash.
        username: the decoded user name of the URL; empty if there is none. Bytes, because HTTP leaves its character
            set open; Unicode in a URL is UTF-8.
        password: the decoded password of the URL; empty if there is none.
    """

    scheme: str
    host: str
    port: int
    path: str
    username: bytes = b""
    password: bytes = field(default=b"", repr=False)

    @property
    def url(self) -> str:
        """Return the URL in an unambiguous form, without user information."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return scheme, host and port (RFC 6454)."""
        return self.scheme, self.host, self.port


def with_scheme(url: str) -> str:
    """Add `http://` to a URL without a scheme, as the address bar of a browser does.

    A URL with any scheme is only stripped of surrounding spaces.
    """
    url = url.strip()
    if not url or "://" in url.split("?", 1)[0].split("#", 1)[0]:
        return url
    if _SCHEME.match(url) and not _HOST_AND_PORT_ONLY.match(url):
        return url
    return f"http:{url}" if url.startswith("//") else f"http://{url}"


def parse_target(url: str) -> Target:
    """Parse an absolute `http` or `https` URL.

    Args:
        url: at most 8,192 characters. Unicode is encoded: IDNA 2008 with UTS 46 for the host, percent-encoded UTF-8
            for the path and the query.

    Raises:
        UrlRefused: the URL has another scheme, no host, an invalid host or port, or control characters.
    """
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused(f"the URL is longer than {MAX_URL_LENGTH} characters")
    # urlsplit drops some of these silently, so the URL would not be what it seems to be.
    if _has_control_characters(url):
        raise UrlRefused("the URL contains control characters")
    try:
        parts = urlsplit(url)
        path = quote(parts.path or "/", safe=_UNESCAPED)
        query = quote(parts.query, safe=_UNESCAPED)
        user_information, _, authority = parts.netloc.rpartition("@")
        username, password = map(unquote_to_bytes, user_information.partition(":")[::2])
    except ValueError as error:  # also for lone surrogates, which UTF-8 cannot encode
        raise UrlRefused(f"not a valid URL: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise UrlRefused(f"only http and https URLs are allowed, not {scheme or 'a URL without a scheme'}")
    if "\\" in parts.netloc:
        raise UrlRefused("the URL has a backslash before its path; browsers take it for a slash")
    host_and_port = _AUTHORITY.fullmatch(authority)
    if host_and_port is None:
        raise UrlRefused(f"{authority[:300]!r} is not a valid host and port")
    if _has_control_characters((username + password).decode("latin-1")):
        raise UrlRefused("the user name or the password contains control characters")
    return Target(
        scheme=scheme,
        host=parse_host(host_and_port["host"]),
        port=_port(host_and_port["port"] or _DEFAULT_PORTS[scheme]),
        path=f"{path}?{query}" if query else path,
        username=username,
        password=password,
    )


def parse_host(host: str) -> str:
    """Parse the host of a URL: a name, an IPv4 address of four decimal numbers, or an IPv6 address in brackets.

    Returns:
        The host in lower case and in ASCII; an IPv6 address in its shortest form, without brackets.

    Raises:
        UrlRefused: it is none of these, or an IPv4 address in an ambiguous spelling (`127.1`, `0x7f000001`,
            `010.0.0.1`), or an IPv6 address with a zone.
    """
    if not host:
        raise UrlRefused("the URL has no host")
    if host.startswith("["):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            _refuse(host)
        return _refuse(host) if address.scope_id is not None else _shortest(address)
    if not host.isascii():
        import idna  # only a host in Unicode needs it

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except UnicodeError:
            _refuse(host)
    if not _HOST.fullmatch(host):
        _refuse(host)
    if _NUMBER_AT_END.fullmatch(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise UrlRefused(f"{host!r} ends in a number but is not an IPv4 address such as 192.0.2.1") from None
    return host.lower()


def _shortest(address: ipaddress.IPv6Address) -> str:
    """Format an address as the URL standard does; Python 3.13 formats a mapped IPv4 address with dots."""
    if (mapped := address.ipv4_mapped) is None:
        return str(address)
    high, low = divmod(int(mapped), 1 << 16)
    return f"::ffff:{high:x}:{low:x}"


def _port(port: str | int) -> int:
    if not 1 <= int(port) <= 65_535:
        raise UrlRefused("the port must be between 1 and 65535")
    return int(port)


def _has_control_characters(text: str) -> bool:
    return any(character < " " or character == "\x7f" for character in text)


def _refuse(host: str) -> NoReturn:
    raise UrlRefused(f"{host[:300]!r} is not a valid host name or address")
