"""The guard against requests to internal addresses (server-side request forgery).

Users choose the URLs of jobs, and the agent that requests them is inside the network. The guard therefore checks each
address when the socket is opened, after name resolution, instead of checking the URL: neither an unusual spelling of
an address nor a name that resolves differently the second time (DNS rebinding) gets around it.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from coinrequest import settings
from coinrequest.http.errors import UrlRefused
from coinrequest.http.target import parse_host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Clouds hand out credentials at these addresses. An allowed network or host name never includes them.
_IS_METADATA = "cloud metadata"
_METADATA: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), _IS_METADATA)
    for network in (
        "169.254.169.254",  # AWS, Azure, Google, DigitalOcean, Oracle, OpenStack and others
        "169.254.170.2",  # AWS ECS: credentials of a task
        "169.254.170.23",  # AWS EKS: credentials of a pod
        "169.254.0.23",  # Tencent
        "169.254.42.42",  # Scaleway
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure: virtual IP of the platform, in public address space
        "192.0.0.192",  # Oracle, first generation
        "fd00:ec2::/32",  # AWS: metadata, pod credentials and resolver
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
    )
)
# The special-purpose registries: https://www.iana.org/assignments/iana-ipv4-special-registry and
# https://www.iana.org/assignments/iana-ipv6-special-registry. The first network that contains an address gives the
# reason. The few globally reachable anycast addresses within 192.0.0.0/24 and 2001::/23 serve no HTTP, so they stay
# refused.
_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/32", "unspecified"),
        ("0.0.0.0/8", "reserved"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmark"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "private"),
        ("2001:db8::/32", "documentation"),
        ("2001::/23", "reserved"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
# https://www.iana.org/assignments/ipv6-address-space: all global unicast addresses are assigned from this block.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, 2.5.5.1, deprecated
_ISATAP = 0x0000_5EFE  # RFC 5214, 6.1: bits 64 to 95, without the universal and the group bit


class AddressGuard:
    """Refuses loopback, private and other special addresses, unless they are allowed.

    Args:
        allowed: networks (`10.1.0.0/16`, `fd00::/8`), single addresses and host names (`status.example.test`) that may
            be reached on every port. A host name must match exactly. A network includes the IPv4-mapped form of its
            addresses, but not the IPv6 addresses in which a translator or a tunnel embeds them: those belong to the
            network of the translator. Cloud metadata can only be allowed by its single address.

    Raises:
        ValueError: an entry is neither a network nor a host name.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in allowed:
            try:
                networks.append(_network(entry))
            except ValueError:
                # A mistyped network must not be taken for a host name that no request ever uses.
                try:
                    hosts.add(_normalise_host(parse_host(entry)))
                except UrlRefused:
                    raise ValueError(f"{entry!r} is neither a network nor a host name") from None
        self._networks = tuple(networks)
        self._hosts = frozenset(hosts)

    def allows(self, host: str) -> bool:
        """Return whether a host name or an address is explicitly allowed."""
        try:
            classified = _classify(host)
        except ValueError:
            return _normalise_host(host) in self._hosts
        return self._is_allowed(classified)

    def refusal(self, address: str, host: str = "") -> str | None:
        """Return why the guard refuses an address.

        Args:
            address: an IPv4 or IPv6 address, as the socket would get it.
            host: the host name of the URL, which may be allowed.

        Returns:
            The reason, such as `127.0.0.1 is refused: loopback address`; None if the address is allowed.
        """
        try:
            classified = _classify(address)
        except ValueError:
            return f"{address!r} is not an address"
        if classified.reason is None or self._is_allowed(classified):
            return None
        if classified.reason != _IS_METADATA and _normalise_host(host) in self._hosts:
            return None
        special = str(classified.special)
        spelled = special if special == address else f"{special} (written {address})"
        return f"{spelled} is refused: {classified.reason} address"

    def _is_allowed(self, classified: "_Classified") -> bool:
        return any(
            classified.address in network and (classified.reason != _IS_METADATA or network.num_addresses == 1)
            for network in self._networks
        )


@dataclass(frozen=True, slots=True)
class _Classified:
    """An address and its kind.

    Attributes:
        address: the address; the IPv4 address if it is IPv4-mapped.
        special: the special address: the address itself or an IPv4 address embedded in it.
        reason: why it is special; None if it is not.
    """

    address: Address
    special: Address
    reason: str | None


def _network(entry: str) -> Network:
    network = ipaddress.ip_network(entry, strict=False)
    mapped = _unmapped(network.network_address)
    if isinstance(network, ipaddress.IPv6Network) and isinstance(mapped, ipaddress.IPv4Address):
        return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _normalise_host(host: str) -> str:
    return host.lower().rstrip(".")


def _unmapped(address: Address) -> Address:
    """Return the IPv4 address of an IPv4-mapped one: the system opens the same connection for both."""
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def _embedded(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses to which a translator or a tunnel forwards what is sent to an IPv6 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    is_compatible = address in _IPV4_COMPATIBLE and int(address) > 1
    is_isatap = (int(address) >> 32) & 0xFCFF_FFFF == _ISATAP
    if address in _NAT64 or is_compatible or is_isatap:
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


@lru_cache(4_096)
def _classify(text: str) -> _Classified:
    address = _unmapped(ipaddress.ip_address(text))
    candidates = (*_embedded(address), address)
    for networks in (_METADATA, _REFUSED):
        for candidate in candidates:
            for network, reason in networks:
                if candidate in network:
                    return _Classified(address, candidate, reason)
    is_outside = isinstance(address, ipaddress.IPv6Address) and not (address in _GLOBAL_UNICAST or address in _NAT64)
    return _Classified(address, address, "reserved" if is_outside else None)


def configured_guard() -> AddressGuard:
    """Return a guard that allows the networks and hosts of `COINREQUEST_ALLOWED_NETWORKS`.

    Raises:
        coinrequest.settings.SettingInvalid: an entry is neither a network nor a host name.
    """
    try:
        return AddressGuard(settings.allowed_networks())
    except ValueError as error:
        raise settings.SettingInvalid(f"COINREQUEST_ALLOWED_NETWORKS: {error}") from error
