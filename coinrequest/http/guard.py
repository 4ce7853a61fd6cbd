"""The guard: which addresses a request that somebody else has asked for may open a connection to.

A job's URL comes from a person who can reach the platform; the agent that opens it stands inside the network.
So every address is judged where the socket is opened, after name resolution, and not by looking at the URL: how
an address is spelled, and what a name answers the second time, then makes no difference.
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

# Where clouds hand out credentials to whoever asks from inside. An allowed network or host name never means these.
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
        "168.63.129.16",  # Azure: the platform's own channel, in public address space
        "192.0.0.192",  # Oracle, first generation
        "fd00:ec2::/32",  # AWS: metadata, pod credentials and resolver
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
    )
)
# The special-purpose registries: https://www.iana.org/assignments/iana-ipv4-special-registry and
# https://www.iana.org/assignments/iana-ipv6-special-registry. The first network that holds an address names it.
# The few globally reachable anycast addresses within 192.0.0.0/24 and 2001::/23 serve no HTTP; they stay refused.
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
# https://www.iana.org/assignments/ipv6-address-space: all that is given out for use between networks lies in here.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, 2.5.5.1, deprecated
_ISATAP = 0x0000_5EFE  # RFC 5214, 6.1: bits 64 to 95, but for the universal and the group bit


class AddressGuard:
    """Judges addresses; loopback, private and other special ones are refused unless they are allowed by name.

    Args:
        allowed: networks (`10.1.0.0/16`, `fd00::/8`), single addresses, or host names (`status.example.test`) that
            may be reached, on every port, although their addresses are special. A host name is matched whole. A
            network means the addresses that it holds and their IPv4-mapped form, which is the same host; it does not
            mean an IPv6 address at which a translator or tunnel keeps an IPv4 one, for that is the network of whoever
            runs the translator. Cloud metadata is allowed only by its own single address.

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
                # A mistyped network must not pass for a host name that nobody ever asks for.
                try:
                    hosts.add(_plain_host(parse_host(entry)))
                except UrlRefused:
                    raise ValueError(f"{entry!r} is neither a network nor a host name") from None
        self._networks = tuple(networks)
        self._hosts = frozenset(hosts)

    def allows(self, host: str) -> bool:
        """Return whether a host, by its name or as an address, is one of those that are allowed by name."""
        try:
            judged = _judged(host)
        except ValueError:
            return _plain_host(host) in self._hosts
        return self._opens(judged)

    def refusal(self, address: str, host: str = "") -> str | None:
        """Say why no connection may be opened to an address.

        Args:
            address: an IPv4 or IPv6 address as the socket would get it.
            host: the host name that the URL gave and the resolver was asked for, for the allow-list.

        Returns:
            The reason, such as `127.0.0.1 is refused: loopback address`; None: it may be opened.
        """
        try:
            judged = _judged(address)
        except ValueError:
            return f"{address!r} is not an address"
        if judged.reason is None or self._opens(judged):
            return None
        if judged.reason != _IS_METADATA and _plain_host(host) in self._hosts:
            return None
        spelled = str(judged.real) if str(judged.real) == address else f"{judged.real} (written {address})"
        return f"{spelled} is refused: {judged.reason} address"

    def _opens(self, judged: "_Judged") -> bool:
        return any(
            judged.address in network and (judged.reason != _IS_METADATA or network.num_addresses == 1)
            for network in self._networks
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What an address is.

    Attributes:
        address: itself; IPv4 if it is mapped.
        real: the special address: itself or one that it embeds.
        reason: what that is; None if there is nothing special about it.
    """

    address: Address
    real: Address
    reason: str | None


def _network(entry: str) -> Network:
    network = ipaddress.ip_network(entry, strict=False)
    mapped = _plain(network.network_address)
    if isinstance(network, ipaddress.IPv6Network) and isinstance(mapped, ipaddress.IPv4Address):
        return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _plain_host(host: str) -> str:
    return host.lower().rstrip(".")


def _plain(address: Address) -> Address:
    """Return the IPv4 address for its IPv4-mapped form: the system opens the same connection for both."""
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def _embedded(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Find the IPv4 addresses to which a translator or a tunnel would hand on what is sent to an IPv6 one."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    is_compatible = address in _IPV4_COMPATIBLE and int(address) > 1
    is_isatap = (int(address) >> 32) & 0xFCFF_FFFF == _ISATAP
    if address in _NAT64 or is_compatible or is_isatap:
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


@lru_cache(4_096)
def _judged(text: str) -> _Judged:
    address = _plain(ipaddress.ip_address(text))
    candidates = (*_embedded(address), address)
    for networks in (_METADATA, _REFUSED):
        for candidate in candidates:
            for network, reason in networks:
                if candidate in network:
                    return _Judged(address, candidate, reason)
    is_outside = isinstance(address, ipaddress.IPv6Address) and not (address in _GLOBAL_UNICAST or address in _NAT64)
    return _Judged(address, address, "reserved" if is_outside else None)


def configured_guard() -> AddressGuard:
    """Return a guard with the exceptions that `COINREQUEST_ALLOWED_NETWORKS` lists.

    Raises:
        coinrequest.settings.SettingInvalid: it lists something that is neither a network nor a host name.
    """
    try:
        return AddressGuard(settings.allowed_networks())
    except ValueError as error:
        raise settings.SettingInvalid(f"COINREQUEST_ALLOWED_NETWORKS: {error}") from error
