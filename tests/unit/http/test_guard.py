import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.http.guard import AddressGuard, configured_guard
from coinrequest.settings import SettingInvalid

PUBLIC = ["8.8.8.8", "93.184.216.34", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.0"]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:400b:c01::64", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
SPECIAL = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "reserved",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "169.254.0.1": "link-local",
    "169.254.169.254": "cloud metadata",
    "100.100.100.200": "cloud metadata",
    "168.63.129.16": "cloud metadata",
    "100.64.0.1": "shared",
    "100.127.255.255": "shared",
    "192.0.0.192": "cloud metadata",
    "192.0.0.9": "reserved",
    "169.254.170.2": "cloud metadata",
    "169.254.170.23": "cloud metadata",
    "198.18.0.1": "benchmark",
    "203.0.113.7": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:a9fe:a9fe": "cloud metadata",
    "::127.0.0.1": "loopback",
    "::a00:1": "private",
    "64:ff9b::7f00:1": "loopback",
    "64:ff9b::a9fe:a9fe": "cloud metadata",
    "64:ff9b:1::a00:1": "private",
    "2002:7f00:1::1": "loopback",
    "2002:c0a8:101::": "private",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "reserved",
    "2001:db8::1": "documentation",
    "fc00::1": "private",
    "fd00:ec2::254": "cloud metadata",
    "fd00:ec2::23": "cloud metadata",
    "fd20:ce::254": "cloud metadata",
    "fd00:c1::a9fe:a9fe": "cloud metadata",
    "::8.8.8.8": "reserved",
    "::ffff:0:8.8.8.8": "reserved",
    "2001:470:1f0b::5efe:10.0.0.1": "private",
    "2001:470:1f0b::200:5efe:192.168.0.1": "private",
    "2002:808:808::5efe:7f00:1": "loopback",
    "fd12:3456::1": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "private",
    "ff02::1": "multicast",
    "4000::1": "reserved",
    "100::1": "reserved",
}


@pytest.mark.parametrize("address", [*PUBLIC, *PUBLIC_V6])
def test_public_addresses_are_allowed(address: str) -> None:
    assert AddressGuard().refusal(address) is None


@pytest.mark.parametrize(("address", "reason"), SPECIAL.items())
def test_a_special_address_is_refused_with_its_reason(address: str, reason: str) -> None:
    refusal = AddressGuard().refusal(address)
    assert refusal is not None
    assert reason in refusal


@given(st.ip_addresses())
def test_private_addresses_of_the_standard_library_are_refused(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        # What embeds an IPv4 address is judged by that. Newer libraries call all of 6to4 private.
        embeds = isinstance(address, ipaddress.IPv6Address) and (
            address.ipv4_mapped is not None
            or address.sixtofour is not None
            or address in ipaddress.ip_network("64:ff9b::/96")
        )
        assert embeds or AddressGuard().refusal(str(address)) is not None


def test_only_the_allowed_network_is_allowed() -> None:
    guard = AddressGuard(["10.1.0.0/16", "fd00::/8"])
    assert guard.refusal("10.1.2.3") is None
    assert guard.refusal("fd12::1") is None
    assert guard.refusal("10.2.0.1") is not None
    assert guard.refusal("fc00::1") is not None


def test_an_allowed_ipv4_network_includes_its_mapped_form() -> None:
    guard = AddressGuard(["10.1.0.0/16", "::ffff:10.3.0.0/112"])
    assert guard.refusal("::ffff:10.1.2.3") is None
    assert guard.refusal("10.3.2.1") is None
    assert guard.refusal("::ffff:10.3.2.1") is None
    assert guard.refusal("::ffff:10.2.0.1") is not None


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "::127.0.0.1", "2001:470::5efe:127.0.0.1", "::1"],
)
def test_an_allowed_ipv4_network_does_not_include_translated_and_tunnelled_addresses(address: str) -> None:
    assert "refused" in str(AddressGuard(["127.0.0.0/8"]).refusal(address))
    assert AddressGuard(["127.0.0.0/8", address]).refusal(address) is None


def test_allowing_all_of_ipv6_does_not_allow_ipv4_and_vice_versa() -> None:
    assert AddressGuard(["::/0"]).refusal("::ffff:127.0.0.1") is not None
    assert AddressGuard(["::/0"]).refusal("127.0.0.1") is not None
    assert AddressGuard(["::/0"]).refusal("::1") is None
    assert AddressGuard(["0.0.0.0/0"]).refusal("::1") is not None
    assert AddressGuard(["0.0.0.0/0"]).refusal("::ffff:127.0.0.1") is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("169.254.169.254", "169.254.0.0/16"),
        ("169.254.170.2", "169.254.170.2/31"),
        ("100.100.100.200", "100.64.0.0/10"),
        ("168.63.129.16", "0.0.0.0/0"),
        ("fd00:ec2::254", "fd00::/8"),
        ("fd20:ce::254", "::/0"),
        ("::ffff:169.254.169.254", "169.254.0.0/16"),
        ("64:ff9b::a9fe:a9fe", "64:ff9b::/96"),
    ],
)
def test_cloud_metadata_is_allowed_by_its_single_address_only(address: str, network: str) -> None:
    assert "cloud metadata" in str(AddressGuard([network]).refusal(address))
    assert "cloud metadata" in str(AddressGuard(["metadata.example"]).refusal(address, "metadata.example"))
    assert AddressGuard([address]).refusal(address) is None


def test_only_the_allowed_host_name_is_allowed() -> None:
    guard = AddressGuard(["Status.Example.test"])
    assert guard.refusal("10.1.2.3", "status.example.test") is None
    assert guard.refusal("10.1.2.3", "status.example.test.") is None
    assert guard.refusal("10.1.2.3", "other.example.test") is not None
    assert guard.refusal("10.1.2.3", "evil-status.example.test") is not None
    assert guard.refusal("10.1.2.3") is not None


def test_an_allowed_host_name_may_be_written_in_unicode() -> None:
    assert AddressGuard(["Bücher.example."]).refusal("10.1.2.3", "xn--bcher-kva.example") is None


def test_an_entry_may_be_a_single_address_or_have_a_netmask() -> None:
    guard = AddressGuard(["127.0.0.2", "10.0.0.0/255.0.0.0", "fe80::1%eth0"])
    assert [guard.refusal(address) for address in ("127.0.0.2", "10.9.9.9", "fe80::1")] == [None, None, None]
    assert guard.refusal("127.0.0.1") is not None


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.0/33",
        "10.0.0/8",
        "fd00::/200",
        "",
        ".",
        "10.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "010.0.0.1",
        "10.0.0.1:8080",
        "[::1]:8080",
        "*.example.test",
        "http://example.test",
        "example.test/path",
        "example.test:8080",
        "user@example.test",
        "exa mple.test",
    ],
)
def test_a_mistyped_network_is_an_error_and_not_a_host_name(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a network nor a host name"):
        AddressGuard([entry])


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:a01:203", True),
        ("fd00::7", True),
        ("Hooks.Internal.", True),
        ("10.2.0.1", False),
        ("64:ff9b::a01:203", False),
        ("internal", False),
        ("sub.hooks.internal", False),
        ("169.254.169.254", False),
        ("8.8.8.8", False),
    ],
)
def test_allows_returns_whether_a_host_is_explicitly_allowed(host: str, allowed: bool) -> None:
    guard = AddressGuard(["10.1.0.0/16", "fd00::7", "hooks.internal", "169.254.0.0/16"])
    assert guard.allows(host) is allowed


def test_malformed_addresses_are_refused() -> None:
    assert "is not an address" in str(AddressGuard(["0.0.0.0/0"]).refusal("localhost"))


def test_an_error_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "10.0.0.0/8, 10.0.0.0/99")
    with pytest.raises(SettingInvalid, match=r"COINREQUEST_ALLOWED_NETWORKS: '10.0.0.0/99' is neither"):
        configured_guard()
