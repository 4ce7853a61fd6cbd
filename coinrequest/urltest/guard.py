"""The guard: which addresses a request that somebody else has asked for may open a connection to.

A job's URL comes from a person who can reach the platform; the agent that opens it stands inside the network.
So every address is judged where the socket is opened, after name resolution, and not by looking at the URL: how
an address is spelled, and what a name answers the second time, then makes no difference.
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The special-purpose registries: https://www.iana.org/assignments/iana-ipv4-special-registry and
# https://www.iana.org/assignments/iana-ipv6-special-registry. The first network that holds an address names it.
_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("169.254.169.254/32", "cloud metadata"),
        ("100.100.100.200/32", "cloud metadata"),
        ("168.63.129.16/32", "cloud metadata"),
        ("0.0.0.0/32", "unspecified"),
        ("0.0.0.0/8", "reserved"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared address space"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("fd00:ec2::254/128", "cloud metadata"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "private"),
        ("2001:db8::/32", "reserved for documentation"),
        ("2001::/23", "reserved"),
        ("3fff::/20", "reserved for documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, 2.5.5.1, deprecated


class AddressGuard:
    """Judges addresses; loopback, private and other special ones are refused unless they are allowed by name.

    Args:
        allowed: networks (`10.1.0.0/16`, `fd00::/8`), single addresses, or host names (`status.example.test`) that
            may be reached although their addresses are special. A host name is matched whole.

    Raises:
        ValueError: an entry is neither a network nor a host name.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in allowed:
            try:
                networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                # A mistyped network must not pass for a host name that nobody ever asks for.
                if "/" in entry or ":" in entry or not entry.strip("."):
                    raise ValueError(f"{entry!r} is neither a network nor a host name") from None
                hosts.add(_plain_host(entry))
        self._networks = tuple(networks)
        self._hosts = frozenset(hosts)

    def allows(self, host: str) -> bool:
        """Return whether a host, by its name or as an address, is one of those that are allowed by name."""
        if _plain_host(host) in self._hosts:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def refusal(self, address: str, host: str = "") -> str | None:
        """Say why no connection may be opened to an address.

        Args:
            address: an IPv4 or IPv6 address as the socket would get it.
            host: the host name that the URL gave, for the allow-list.

        Returns:
            The reason, such as `127.0.0.1 is a loopback address`; None: it may be opened.
        """
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return f"{address!r} is not an address"
        if _plain_host(host) in self._hosts:
            return None
        real = _unwrapped(parsed)
        if any(candidate in network for network in self._networks for candidate in {parsed, real}):
            return None
        reason = _special(real)
        if reason is None:
            return None
        spelled = f"{real} (written {address})" if real != parsed else str(real)
        return f"{spelled} is refused: {reason} address"


def _plain_host(host: str) -> str:
    return host.lower().rstrip(".")


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for (mapped, NAT64, 6to4, compatible), or itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    is_compatible = address in _IPV4_COMPATIBLE and int(address) > 1
    if address in _NAT64 or is_compatible:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _special(address: Address) -> str | None:
    for network, reason in _REFUSED:
        if address in network:
            return reason
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return "reserved"
    return None
