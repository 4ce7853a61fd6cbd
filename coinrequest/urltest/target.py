"""Reading a URL into the parts that a request needs, so strictly that no two parsers can disagree about the host."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from coinrequest.urltest.errors import UrlRefused

MAX_URL_LENGTH = 8_192

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HOST_AND_PORT_ONLY = re.compile(r"[^:/?#]+:\d+(?:[/?#]|$)")
_HOST = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
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
        username: from the URL's user information, decoded; empty if there is none.
        password: likewise.
    """

    scheme: str
    host: str
    port: int
    path: str
    username: str = ""
    password: str = field(default="", repr=False)

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
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in url):
        raise UrlRefused("the URL has control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlRefused(f"this is not a URL: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise UrlRefused(f"only http and https are requested, not {scheme or 'a URL without a scheme'}")
    if port == 0:
        raise UrlRefused("the port must be between 1 and 65535")
    if "\\" in parts.netloc:
        raise UrlRefused("the URL has a backslash before its path, which browsers read as a slash")
    user_information, _, host_and_port = parts.netloc.rpartition("@")
    username, _, password = user_information.partition(":")
    path = quote(parts.path or "/", safe=_PLAIN)
    if parts.query:
        path += "?" + quote(parts.query, safe=_PLAIN)
    return Target(
        scheme=scheme,
        host=_host(host_and_port, parts.hostname or ""),
        port=port if port is not None else _DEFAULT_PORTS[scheme],
        path=path,
        username=unquote(username),
        password=unquote(password),
    )


def _host(host_and_port: str, hostname: str) -> str:
    if not hostname:
        raise UrlRefused("the URL has no host")
    if host_and_port.startswith("["):
        try:
            return str(ipaddress.IPv6Address(hostname)) if "%" not in hostname else _refused(hostname)
        except ValueError:
            _refused(hostname)
    if not hostname.isascii():
        import idna  # requests depends on it; only a host in unicode needs it

        try:
            hostname = idna.encode(hostname, uts46=True).decode("ascii")
        except idna.IDNAError:
            _refused(hostname)
    if not _HOST.fullmatch(hostname):
        _refused(hostname)
    return hostname.lower()


def _refused(hostname: str) -> str:
    raise UrlRefused(f"{hostname[:300]!r} is not a host name or address")
