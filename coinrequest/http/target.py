"""Reading a URL into the parts that a request needs, so strictly that no two parsers can disagree about the host."""

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
# A last label that is a number makes the whole an IPv4 address for browsers and for libcurl, however it is spelled
# (https://url.spec.whatwg.org/#ends-in-a-number-checker). No top-level domain is one.
_NUMBER_AT_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0[Xx][0-9A-Fa-f]*)\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What RFC 3986 lets stand in a path or a query, plus "%": an escape that is already there stays what it is.
_PLAIN = "/?:@!$&'()*+,;=-._~%[]"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    Attributes:
        scheme: `http` or `https`.
        host: ASCII, lower case; an IPv6 address without its brackets.
        port: 1 to 65535.
        path: path and query, ASCII, starting with a slash.
        username: from the URL's user information, decoded; empty if there is none. Bytes, for HTTP does not say which
            characters they stand for; unicode in a URL is UTF-8.
        password: likewise.
    """

    scheme: str
    host: str
    port: int
    path: str
    username: bytes = b""
    password: bytes = field(default=b"", repr=False)

    @property
    def url(self) -> str:
        """Return the URL in a form that has one reading only, without user information."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return scheme, host and port (RFC 6454)."""
        return self.scheme, self.host, self.port


def with_scheme(url: str) -> str:
    """Return the URL as a browser's address field would take it: `example.test` means `http://example.test`.

    Anything that has a scheme, also one that is refused later, comes back as it is but for spaces around it.
    """
    url = url.strip()
    if not url or "://" in url.split("?", 1)[0].split("#", 1)[0]:
        return url
    if _SCHEME.match(url) and not _HOST_AND_PORT_ONLY.match(url):
        return url
    return f"http:{url}" if url.startswith("//") else f"http://{url}"


def parse_target(url: str) -> Target:
    """Read an absolute `http` or `https` URL.

    Args:
        url: at most 8,192 characters; it may hold unicode, which is encoded (host: IDNA 2008 with UTS 46, path and
            query: UTF-8 percent-encoding).

    Raises:
        UrlRefused: another scheme, no host, a host or port that is not one, or control characters.
    """
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused(f"the URL is longer than {MAX_URL_LENGTH} characters")
    # urlsplit drops some of these silently; a URL that holds them is not what its reader believes it to be.
    if _has_control_characters(url):
        raise UrlRefused("the URL has control characters")
    try:
        parts = urlsplit(url)
        path = quote(parts.path or "/", safe=_PLAIN)
        query = quote(parts.query, safe=_PLAIN)
        user_information, _, authority = parts.netloc.rpartition("@")
        username, password = map(unquote_to_bytes, user_information.partition(":")[::2])
    except ValueError as error:  # also half of a surrogate pair, which UTF-8 does not have
        raise UrlRefused(f"this is not a URL: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise UrlRefused(f"only http and https are requested, not {scheme or 'a URL without a scheme'}")
    if "\\" in parts.netloc:
        raise UrlRefused("the URL has a backslash before its path, which browsers read as a slash")
    host_and_port = _AUTHORITY.fullmatch(authority)
    if host_and_port is None:
        raise UrlRefused(f"{authority[:300]!r} is not a host and a port")
    if _has_control_characters((username + password).decode("latin-1")):
        raise UrlRefused("the user name or the password has control characters")
    return Target(
        scheme=scheme,
        host=parse_host(host_and_port["host"]),
        port=_port(host_and_port["port"] or _DEFAULT_PORTS[scheme]),
        path=f"{path}?{query}" if query else path,
        username=username,
        password=password,
    )


def parse_host(host: str) -> str:
    """Read a host as a URL has it: a name, an IPv4 address with four decimal numbers, or an IPv6 one in brackets.

    Returns:
        ASCII, lower case, an IPv6 address without its brackets and in its shortest form.

    Raises:
        UrlRefused: it is none of them, or an IPv4 address in a spelling that not everybody reads in the same way
            (`127.1`, `0x7f000001`, `010.0.0.1`), or an IPv6 address with a zone.
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
        import idna  # requests depends on it; only a host in unicode needs it

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
            raise UrlRefused(f"{host!r} is a number, but no IPv4 address like 192.0.2.1") from None
    return host.lower()


def _shortest(address: ipaddress.IPv6Address) -> str:
    """Write an address as the URL standard does; Python 3.13 would write the IPv4 address in one with dots."""
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
    raise UrlRefused(f"{host[:300]!r} is not a host name or address")
