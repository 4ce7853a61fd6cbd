"""The guard against IANA's registries of special-purpose addresses, as they stood in 2025, row by row.

https://www.iana.org/assignments/iana-ipv4-special-registry (IPv4) and
https://www.iana.org/assignments/iana-ipv6-special-registry (IPv6, last updated 2025-10-09): the address block and
whether it is *globally reachable*; a block without an answer (deprecated, or N/A) counts as one that is not.
"""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.http.guard import AddressGuard

GUARD = AddressGuard()
NOT_REACHABLE = [
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "::/128",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:2::/48",
    "2001:10::/28",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
]
MULTICAST_AND_SITE_LOCAL = ["224.0.0.0/4", "ff00::/8", "fec0::/10"]
# Registered as globally reachable, and still refused: anycast addresses of protocols that are not HTTP, and prefixes
# of identifiers that are no places in the network.
REFUSED_ALL_THE_SAME = [
    "192.0.0.9/32",
    "192.0.0.10/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:20::/28",
    "2001:30::/28",
]
REACHABLE = ["192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"]
# These hold an IPv4 address, which is judged in their stead.
EMBEDDING = ["::ffff:0:0/96", "64:ff9b::/96", "2002::/16"]


def ends(block: str) -> tuple[str, str]:
    network = ipaddress.ip_network(block)
    return str(network[0]), str(network[-1])


@pytest.mark.parametrize("block", [*NOT_REACHABLE, *MULTICAST_AND_SITE_LOCAL, *REFUSED_ALL_THE_SAME])
def test_a_block_is_refused_from_its_first_to_its_last_address(block: str) -> None:
    assert [GUARD.refusal(address) for address in ends(block) if GUARD.refusal(address) is None] == []


@pytest.mark.parametrize("block", REACHABLE)
def test_a_block_that_is_globally_reachable_may_be_reached(block: str) -> None:
    assert [GUARD.refusal(address) for address in ends(block)] == [None, None]


@pytest.mark.parametrize("block", EMBEDDING)
def test_blocks_with_embedded_ipv4_addresses_are_classified_by_them(block: str) -> None:
    # Their first address holds 0.0.0.0 and their last one 255.255.255.255.
    assert [address for address in ends(block) if GUARD.refusal(address) is None] == []


def networks(version: int) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    blocks = map(ipaddress.ip_network, [*NOT_REACHABLE, *MULTICAST_AND_SITE_LOCAL, *REFUSED_ALL_THE_SAME])
    return [block for block in blocks if block.version == version]


METADATA_IN_PUBLIC_SPACE = ipaddress.ip_address("168.63.129.16")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_outside_of_all_blocks_may_be_reached_and_inside_of_one_never(
    address: ipaddress.IPv4Address,
) -> None:
    special = any(address in network for network in networks(4)) or address == METADATA_IN_PUBLIC_SPACE
    assert (GUARD.refusal(str(address)) is not None) == special


@given(st.integers(0, 2**125 - 1).map(lambda number: ipaddress.IPv6Address((1 << 125) + number)))
def test_a_global_ipv6_address_outside_of_all_blocks_may_be_reached_and_inside_of_one_never(
    address: ipaddress.IPv6Address,
) -> None:
    special = any(address in network for network in networks(6))
    if address.sixtofour is None and (int(address) >> 32) & 0xFCFF_FFFF != 0x5EFE:
        assert (GUARD.refusal(str(address)) is not None) == special


@given(st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address))
def test_an_ipv6_address_outside_of_the_space_that_is_given_out_is_never_reached(
    address: ipaddress.IPv6Address,
) -> None:
    if address not in ipaddress.ip_network("2000::/3") and not (
        address.ipv4_mapped or address in ipaddress.ip_network("64:ff9b::/96")
    ):
        assert GUARD.refusal(str(address)) is not None


def spellings(address: ipaddress.IPv4Address) -> dict[str, int]:
    """Return IPv6 addresses that stand for an IPv4 one where RFC 4291, 6052, 3056 and 5214 have it."""
    number = int(address)
    return {
        "mapped": (0xFFFF << 32) | number,
        "NAT64": (0x64FF9B << 96) | number,
        "6to4": (0x2002 << 112) | (number << 80) | 1,
        "ISATAP": (0x2A00_1450 << 96) | (0x5EFE << 32) | number,
        "ISATAP, of a global IPv4 address": (0x2A00_1450 << 96) | (0x0200_5EFE << 32) | number,
    }


@given(st.one_of(st.ip_addresses(v=4), *(st.ip_addresses(network=block) for block in networks(4))))
def test_every_ipv6_form_of_an_ipv4_address_is_classified_like_it(address: ipaddress.IPv4Address) -> None:
    verdict = GUARD.refusal(str(address))
    for spelling, number in spellings(address).items():
        judged = GUARD.refusal(str(ipaddress.IPv6Address(number)))
        assert (judged is None) == (verdict is None), spelling
        assert verdict is None or str(address) in str(judged)


@given(st.one_of(*(st.ip_addresses(network=block) for block in networks(4))))
def test_deprecated_and_local_embedding_is_refused_whatever_is_embedded(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    teredo = (0x2001_0000 << 96) | (0x0808_0808 << 64) | (number ^ 0xFFFF_FFFF)
    for embedding in (number, (0xFFFF << 48) | number, (0x64_FF9B_0001 << 80) | number, teredo):
        assert GUARD.refusal(str(ipaddress.IPv6Address(embedding))) is not None
