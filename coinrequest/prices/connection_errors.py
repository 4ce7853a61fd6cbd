"""What went wrong with a connection, in words for a person: no classes, addresses or pools of the library."""


def describe_connection_error(error: BaseException) -> str:
    """Return the reason at the bottom of a chain of exceptions, such as `Connection refused`."""
    import http.client
    import socket
    import ssl

    link: BaseException | None = error
    while link is not None:
        match link:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not accepted: {link.verify_message}"
            case ssl.SSLError():
                return "no TLS connection came about"
            case socket.gaierror():
                return f"its name cannot be resolved: {link.strerror}"
            case http.client.RemoteDisconnected():
                return "it closed the connection without an answer"
            case http.client.HTTPException():
                return "what it answered is not HTTP"
            case OSError(strerror=str(text)):
                return text
        link = link.__cause__ or link.__context__
    return "the connection failed"
