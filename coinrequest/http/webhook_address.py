"""Checks of a webhook's URL. The guard checks its address again when the socket is opened."""

import ipaddress

from coinrequest.http.errors import UrlRefused
from coinrequest.http.guard import AddressGuard
from coinrequest.http.target import parse_target


def webhook_refusal(url: str, guard: AddressGuard) -> str | None:
    """Return why notices cannot be posted to a URL.

    Host names are not resolved here: their addresses may change until a notice is sent, and are checked then.

    Args:
        url: the URL of the webhook.
        guard: allows private hosts and networks.

    Returns:
        The reason, to be put after the name of the field; None if the URL is accepted.
    """
    try:
        target = parse_target(url)
    except UrlRefused as refusal:
        return f"is refused: {refusal}"
    if target.username or target.password:
        return "cannot hold a user name or password; keep secrets in a connection"
    if target.scheme != "https" and not guard.allows(target.host):
        return "must be an https URL; http is only accepted for hosts and networks that the administrator allows"
    # RFC 6761, 6.3: these names always mean the loopback address.
    is_localhost = f".{target.host.rstrip('.')}".endswith(".localhost")
    try:
        address = str(ipaddress.ip_address("127.0.0.1" if is_localhost else target.host))
    except ValueError:
        return None
    return guard.refusal(address, target.host)
