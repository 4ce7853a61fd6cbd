"""Errors of connections in plain words, without the classes, addresses and pools of requests."""


def describe_connection_error(error: BaseException) -> str:
    """Return the root cause of a chain of exceptions, such as `Connection refused`."""
    import http.client
    import socket
    import ssl

    link: BaseException | None = error
    while link is not None:
        match link:
            case ssl.SSLCertVerificationError():
                return f"its certificate cannot be verified: {link.verify_message}"
            case ssl.SSLError():
                return "the TLS handshake failed"
            case socket.gaierror():
                return f"its name cannot be resolved: {link.strerror}"
            case http.client.RemoteDisconnected():
                return "it closed the connection without a response"
            case http.client.HTTPException():
                return "its response is not valid HTTP"
            case OSError(strerror=str(text)):
                return text
        link = link.__cause__ or link.__context__
    return "the connection failed"
