"""Answers of an allowed server that point elsewhere: where to, and why; see `guard_corpus`."""

from collections.abc import Mapping
from dataclasses import dataclass

from support.guard_corpus import ALLOWED, NO_URL, SCHEME

LOOPBACK = "loopback"


@dataclass(frozen=True)
class Redirect:
    """An answer with a `Location`, why it is here, and what the refusal says (a regexp)."""

    location: str
    why: str
    refusal: str = LOOPBACK
    status: int = 302


REFUSED = [
    *(Redirect("http://127.0.0.1:{port}/", f"to the loopback with {status}", status=status) for status in (301, 302)),
    *(
        Redirect("http://127.0.0.1:{port}/", f"to the loopback with {status}", status=status)
        for status in (303, 307, 308)
    ),
    Redirect("//127.0.0.1:{port}/", "to another host with the same scheme"),
    Redirect("HTTP://127.0.0.1:{port}/", "scheme in upper case"),
    Redirect("https://127.0.0.1:{port}/", "to TLS"),
    Redirect("http://localhost:{port}/", "to a name for the loopback"),
    Redirect("http://private.test:{port}/", "to a name with a private address", "private"),
    Redirect("http://mapped.test:{port}/", "to a name with a mapped address"),
    Redirect("http://unlisted.test:{port}/", "to any other name"),
    Redirect("http://metadata.google.internal/computeMetadata/v1/", "to metadata by name", "metadata"),
    Redirect("http://169.254.169.254/latest/meta-data/", "to metadata", "metadata", 307),
    Redirect("http://169.254.170.2/v2/credentials", "to a task's credentials", "metadata"),
    Redirect("http://[fd00:ec2::254]/latest/meta-data/", "to metadata over IPv6", "metadata"),
    Redirect("http://10.0.0.1:{port}/", "to a private address", "private", 308),
    Redirect("http://192.168.1.1:{port}/", "to a private address", "private"),
    Redirect("http://0.0.0.0:{port}/", "to the unspecified address", "unspecified"),
    Redirect("http://[::1]:{port}/", "to IPv6", LOOPBACK),
    Redirect("//[::1]:{port}/", "to IPv6 with the same scheme", LOOPBACK),
    Redirect("http://[::ffff:127.0.0.1]:{port}/", "to a mapped address", LOOPBACK),
    Redirect("http://[64:ff9b::7f00:1]:{port}/", "to NAT64", LOOPBACK),
    Redirect("http://[fe80::1%25lo]:{port}/", "to a zone", NO_URL),
    Redirect("http://[::1", "to half an address", "not a valid URL|refused"),
    Redirect("http://2130706433:{port}/", "to one decimal number", "number"),
    Redirect("http://0x7f000001:{port}/", "to one hexadecimal number", "number"),
    Redirect("http://017700000001:{port}/", "to one octal number", "number"),
    Redirect("http://127.1:{port}/", "to a short address", "number"),
    Redirect("http://public.test@127.0.0.1:{port}/", "with user information"),
    Redirect("//public.test:{port}@127.0.0.1:{port}/", "with user information and the same scheme"),
    Redirect("http://127.0.0.1:{port}\\@public.test/", "with a backslash", "backslash"),
    Redirect("http://127.0.0.1:{port}#@public.test/", "with a fragment"),
    Redirect("http://%31%32%37.0.0.1:{port}/", "with an escaped host", NO_URL),
    Redirect("http://127.0.0.1\t:{port}/", "with a tab"),
    Redirect("http://127.0.0.1:0/", "with port 0", "port must"),
    Redirect("http://127.0.0.1:65536/", "with a port that is none", "port must"),
    Redirect("file:///etc/passwd", "to a file", SCHEME),
    Redirect("FILE:/etc/passwd", "to a file", SCHEME, 303),
    Redirect("gopher://127.0.0.1:{port}/_x", "to Gopher", SCHEME, 307),
    Redirect("ftp://127.0.0.1:{port}/", "to FTP", SCHEME),
    Redirect("dict://127.0.0.1:{port}/stat", "to DICT", SCHEME),
    Redirect("ldap://127.0.0.1:{port}/", "to LDAP", SCHEME),
    Redirect("telnet://127.0.0.1:{port}/", "to Telnet", SCHEME),
    Redirect("unix:/var/run/docker.sock", "to a Unix socket", SCHEME),
    Redirect("http+unix://%2Fvar%2Frun%2Fdocker.sock/", "to a Unix socket", SCHEME),
    Redirect("javascript:alert(1)", "to a script", SCHEME),
    Redirect("data:text/plain,hello", "to data", SCHEME),
    Redirect("ws://127.0.0.1:{port}/", "to a WebSocket", SCHEME),
    Redirect("/to?http://127.0.0.1:{port}/", "twice"),
    Redirect("to?/to?/to?//127.0.0.1:{port}/", "four times, each relative"),
    Redirect("http://public.test:{port}/to?http://[::1]:{port}/", "over a name"),
    Redirect("/to?file:///etc/passwd", "to a file at the second step", SCHEME),
    Redirect("http://" + ALLOWED + ":{port}/to?http://169.254.169.254/", "to metadata at the second step", "metadata"),
    Redirect("/to?/again", "in a circle", "more than 10 redirects"),
]

# An answer that is followed to the allowed server only, or not at all.
SAFE = [
    Redirect("/ok", "a path"),
    Redirect("ok", "a relative path"),
    Redirect("ok?q=http://127.0.0.1:{port}/", "a query"),
    Redirect("#http://127.0.0.1:{port}/", "a fragment of the same page", status=200),
    Redirect("/\\127.0.0.1:{port}/", "a slash and a backslash, which browsers read as a host"),
    Redirect("\\\\127.0.0.1:{port}\\", "two backslashes, which browsers read as a host"),
    Redirect("/%2f127.0.0.1:{port}/", "an escaped slash"),
    Redirect("/@127.0.0.1:{port}/", "an at sign in a path"),
    Redirect("http:127.0.0.1:{port}/", "a scheme without slashes, which RFC 3986 reads as a path"),
    Redirect("http:///127.0.0.1:{port}/", "three slashes, which RFC 3986 reads as a path"),
    Redirect("//public.test:{port}/ok", "the allowed server by name"),
    Redirect("http://127.0.0.1@public.test:{port}/ok", "an address as user"),
    Redirect("http://127.0.0.1:{port}/", "a location that is no redirect", status=200),
    Redirect("http://127.0.0.1:{port}/", "a location of what was made", status=201),
    Redirect("http://127.0.0.1:{port}/", "several choices", status=300),
    Redirect("http://127.0.0.1:{port}/", "not modified", status=304),
    Redirect("http://127.0.0.1:{port}/", "use a proxy, which nobody does any more", status=305),
    Redirect("http://127.0.0.1:{port}/", "a location with an error", status=404),
]
# Headers that make browsers ask elsewhere.
HEADERS: Mapping[str, str] = {
    "Refresh": "0; url=http://127.0.0.1:{port}/",
    "Alt-Svc": 'h2="127.0.0.1:{port}", h3="127.0.0.1:{port}"',
    "Content-Location": "http://127.0.0.1:{port}/",
    "Link": "<http://127.0.0.1:{port}/>; rel=preload",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Proxy-Authenticate": "Basic realm=x",
    "WWW-Authenticate": "Negotiate",
    "Proxy": "http://127.0.0.1:{port}/",
}
