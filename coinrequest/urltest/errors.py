"""What can go wrong with a request to somebody else's server."""


class RequestFailed(Exception):
    """No answer came (no such name, nobody listens, time over, TLS); the text says which."""


class UrlRefused(RequestFailed):
    """The URL, or an address behind it, is one that no request is made to."""
