"""The errors of libcurl in words, each with a remedy.

The numbers are documented at https://curl.se/libcurl/c/libcurl-errors.html.
"""

from collections.abc import Mapping

_REPORT = "please report this with the URL, because it cannot happen with HTTP"
_AGAIN = "try again, or ask whoever runs the server"
# For a response that breaks its own rules.
ASK = "the server broke the protocol; ask whoever runs it"
_NOT_HTTP = "check that the port speaks HTTP, and whether the URL should start with https"
_TLS = "check that the port speaks TLS, and the server's TLS settings"
_TRUST = "check the file that SSL_CERT_FILE names"
_CERTIFICATE = "renew or correct the server's certificate, or trust its authority with SSL_CERT_FILE"
_AGENT = "the agent lacks memory or sockets; ask the administrator"

# What can happen to a request over HTTP and TLS; everything else belongs to other protocols or to options not in use.
_REMEDIES: Mapping[int, str] = {
    1: _NOT_HTTP,  # CURLE_UNSUPPORTEDASK: the response is HTTP/0.9 or of an unknown version
    2: _AGENT,
    3: "correct the URL",
    6: "check the spelling of the host name, and the name servers of the agent",
    7: "check the port, and that the server is running and reachable from the agent",
    8: _NOT_HTTP,
    16: ASK,  # CURLE_HTTP2
    18: _AGAIN,  # CURLE_PARTIAL_FILE
    26: _REPORT,
    27: _AGENT,
    28: "allow more time, or check why the server or the way to it is slow",
    35: _TLS,
    43: _REPORT,
    45: "check the network of the agent",  # CURLE_INTERFACE_FAILED
    47: "check where the redirects lead",
    52: _AGAIN,  # CURLE_GOT_NOTHING
    53: _TLS,
    54: _TLS,
    55: _AGAIN,  # CURLE_SEND_ERROR
    56: _AGAIN,  # CURLE_RECV_ERROR
    58: _TLS,
    59: _TLS,
    60: _CERTIFICATE,
    61: ASK,  # CURLE_BAD_CONTENT_ENCODING: of Transfer-Encoding
    65: _AGAIN,  # CURLE_SEND_FAIL_REWIND
    77: _TRUST,
    80: _AGAIN,  # CURLE_SSL_SHUTDOWN_FAILED
    81: _AGAIN,
    83: _CERTIFICATE,
    91: _CERTIFICATE,
    92: ASK,  # CURLE_HTTP2_STREAM
    95: ASK,  # CURLE_HTTP3
    96: _AGAIN,  # CURLE_QUIC_CONNECT_ERROR
    98: "the server wants a certificate of the client, which is not supported; ask whoever runs it for another way",
    99: _AGENT,
    100: ASK,  # CURLE_TOO_LARGE
}


def describe_failure(code: int, text: str) -> str:
    """Return why a transfer failed, and what to do about it.

    Args:
        code: an error number of libcurl, other than 0.
        text: what libcurl says about this transfer; often it says nothing.
    """
    return f"{text or _general(code)}; {_REMEDIES.get(code, _REPORT)}"


def _general(code: int) -> str:
    import pycurl

    explain = getattr(pycurl, "easy_strerror", None)  # older versions lack it
    text: str = explain(code) if explain is not None else ""
    return text if text and text != "Unknown error" else f"libcurl does not explain its error {code}"
