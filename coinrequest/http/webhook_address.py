"""Which addresses a notice may be posted to, as far as a URL tells; the socket's own guard has the last word."""

import ipaddress

from coinrequest.http.errors import UrlRefused
from coinrequest.http.guard import AddressGuard
from coinrequest.http.target import parse_target


def webhook_refusal(url: str, guard: AddressGuard) -> str | None:
    """Say why no notice may be posted to a URL.

    What a host name stands for is not looked up here: it can change until the notice is sent, and is judged then.

    Args:
        url: as a person wrote it.
        guard: knows the hosts and networks that are allowed although they are private.

    Returns:
        The reason, for a message about the field; None: nothing speaks against it.
    """
    try:
        target = parse_target(url)
    except UrlRefused as refusal:
        return f"is refused: {refusal}"
    if target.username or target.password:
        return "cannot hold a user name or password; keep secrets in a connection"
    if target.scheme != "https" and not guard.allows(target.host):
        return "must be an https URL; http is only for hosts and networks that the administrator allows"
    # RFC 6761, 6.3: these names mean the loopback, and no resolver is asked for them.
    is_localhost = f".{target.host.rstrip('.')}".endswith(".localhost")
    try:
        address = str(ipaddress.ip_address("127.0.0.1" if is_localhost else target.host))
    except ValueError:
        return None
    return guard.refusal(address, target.host)
