"""Targets that have fooled others: what each is, and why it must not get through.

`{port}` is the port at which servers listen on 127.0.0.1 and ::1 that nobody may reach, and on 127.0.0.2 one that is
allowed. Names are answered by `Names` and never by a resolver: `public.test` is the allowed server, and a name that is
not listed is forbidden, so that reading another host out of a URL than is meant shows at once.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

ALLOWED = "127.0.0.2"
FORBIDDEN = ("127.0.0.1", "::1")

# What the error says: the URL was not read as one, or the address behind it was refused.
NO_URL = "not a valid URL|no host|not a valid host|is a number|control characters|backslash|port must|longer than"
SCHEME = "only http and https"
SPECIAL = "loopback|private|link-local|shared|reserved|documentation|benchmark|multicast|unspecified|cloud metadata"


@dataclass(frozen=True)
class Case:
    """One target: its address or the redirect to it, why it is here, and what the refusal says (a regexp)."""

    url: str
    why: str
    refusal: str = f"{NO_URL}|{SCHEME}|{SPECIAL}"


class Names(dict[str, Sequence[str]]):
    """Answers every name: as listed, or with forbidden addresses."""

    def get(self, host: str, default: object = None) -> Sequence[str] | None:  # type: ignore[override]
        """Return the addresses of a name; None for an address, and for what libcurl answers by itself."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            own = f".{host}".endswith(".localhost")
            return None if own else super().get(host, FORBIDDEN)
        return None


def names() -> Names:
    """Return the names of the corpus; every one but `public.test` has something forbidden behind it."""
    return Names(
        {
            "public.test": [ALLOWED],
            "127.0.0.1.public.test": [ALLOWED],
            "private.test": ["10.0.0.1"],
            "nine-networks.test": ["10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.0.1", "100.64.0.1", "fd00::1"],
            "127.0.0.1.nip.test": ["127.0.0.1"],
            "six.test": ["::1"],
            "zero.test": ["0.0.0.0"],
            "zero-six.test": ["::"],
            "mapped.test": ["::ffff:127.0.0.1"],
            "mapped-metadata.test": ["::ffff:169.254.169.254"],
            "translated.test": ["64:ff9b::7f00:1"],
            "translated-locally.test": ["64:ff9b:1::7f00:1"],
            "tunnelled.test": ["2002:7f00:1::1"],
            "isatap.test": ["2001:470:1f0b::5efe:127.0.0.1"],
            "link-local.test": ["fe80::1"],
            "multicast.test": ["224.0.0.1"],
            "broadcast.test": ["255.255.255.255"],
            "metadata.google.internal": ["169.254.169.254"],
            "instance-data.ec2.internal": ["169.254.169.254"],
            "metadata.tencentyun.com": ["169.254.0.23"],
            "metadata.azure.internal": ["169.254.169.254"],
            "wireserver.azure.test": ["168.63.129.16"],
            "kubernetes.default.svc": ["10.96.0.1"],
            "host.docker.internal": ["172.17.0.1"],
        }
    )


IPV4 = [
    Case("http://127.0.0.1:{port}/", "loopback as it is written", "loopback"),
    Case("http://127.255.255.254:{port}/", "the far end of the loopback network", "loopback"),
    Case("http://127.1:{port}/", "two numbers, the last one 24 bits", "number"),
    Case("http://127.0.1:{port}/", "three numbers, the last one 16 bits", "number"),
    Case("http://2130706433:{port}/", "one decimal number", "number"),
    Case("http://017700000001:{port}/", "one octal number", "number"),
    Case("http://0x7f000001:{port}/", "one hexadecimal number", "number"),
    Case("http://0X7F000001:{port}/", "hexadecimal in upper case", "number"),
    Case("http://0x7f.1:{port}/", "hexadecimal and short", "number"),
    Case("http://0177.0.0.1:{port}/", "octal in the first place", "number"),
    Case("http://0x7f.0x0.0x0.0x1:{port}/", "four hexadecimal numbers", "number"),
    Case("http://0177.0x0.0.1:{port}/", "octal, hexadecimal and decimal mixed", "number"),
    Case("http://00000000177.0.0.1:{port}/", "octal with many zeros", "number"),
    Case("http://127.00.00.01:{port}/", "decimal or octal, who knows", "number"),
    Case("http://0127.0.0.1:{port}/", "87.0.0.1 for some readers, 127.0.0.1 for others", "number"),
    Case("http://127.0.0.1.:{port}/", "a dot at the end", "number"),
    Case("http://127.1.:{port}/", "short, with a dot at the end", "number"),
    Case("http://6425673729:{port}/", "2130706433 plus 2 to the 32nd, which overflows", "number"),
    Case("http://383.0.0.1:{port}/", "127 plus 256, which overflows", "number"),
    Case("http://127.0.0.1.1:{port}/", "five numbers", "number"),
    Case("http://0x7f.0.0.1e0:{port}/", "a float at the end", "loopback"),
    Case("http://0x:{port}/", "the prefix of a number that is not there", "number"),
    Case("http://0:{port}/", "zero: this host", "number"),
    Case("http://00:{port}/", "octal zero", "number"),
    Case("http://0x0:{port}/", "hexadecimal zero", "number"),
    Case("http://0.0.0.0:{port}/", "the unspecified address, which Linux takes for the loopback", "unspecified"),
    Case("http://0.0.0.1:{port}/", "a host on this network", "reserved"),
    Case("http://10.0.0.1:{port}/", "private", "private"),
    Case("http://172.16.0.1:{port}/", "private", "private"),
    Case("http://172.31.255.255:{port}/", "the last private one of its network", "private"),
    Case("http://192.168.1.1:{port}/", "private", "private"),
    Case("http://169.254.1.1:{port}/", "link-local", "link-local"),
    Case("http://100.64.0.1:{port}/", "behind a carrier's NAT", "shared"),
    Case("http://192.0.0.8:{port}/", "IETF protocols", "reserved"),
    Case("http://192.0.2.1:{port}/", "documentation", "documentation"),
    Case("http://198.18.0.1:{port}/", "benchmarks", "benchmark"),
    Case("http://224.0.0.251:{port}/", "multicast", "multicast"),
    Case("http://240.0.0.1:{port}/", "reserved", "reserved"),
    Case("http://255.255.255.255:{port}/", "broadcast", "reserved"),
]

METADATA = [
    Case("http://169.254.169.254/latest/meta-data/iam/security-credentials/", "AWS and most others", "metadata"),
    Case("http://2852039166/latest/meta-data/", "the same as one number", "number"),
    Case("http://0xA9FEA9FE/", "the same in hexadecimal", "number"),
    Case("http://0251.0376.0251.0376/", "the same in octal", "number"),
    Case("http://169.254.43518/", "the same, short", "number"),
    Case("http://[::ffff:169.254.169.254]/", "the same, mapped", "metadata"),
    Case("http://[64:ff9b::a9fe:a9fe]/", "the same behind NAT64", "metadata"),
    Case("http://169.254.170.2/v2/credentials", "credentials of an ECS task", "metadata"),
    Case("http://169.254.170.23/v1/credentials", "credentials of an EKS pod", "metadata"),
    Case("http://[fd00:ec2::254]/latest/meta-data/", "AWS over IPv6", "metadata"),
    Case("http://[fd00:ec2::23]/v1/credentials", "credentials of an EKS pod over IPv6", "metadata"),
    Case("http://[fd20:ce::254]/computeMetadata/v1/", "Google over IPv6", "metadata"),
    Case("http://100.100.100.200/latest/meta-data/", "Alibaba", "metadata"),
    Case("http://168.63.129.16/machine?comp=goalstate", "Azure, in public address space", "metadata"),
    Case("http://192.0.0.192/latest/", "Oracle's first generation", "metadata"),
    Case("http://metadata.google.internal/computeMetadata/v1/", "Google by name", "metadata"),
    Case("http://METADATA.google.internal./computeMetadata/v1/", "the same, spelled oddly", "metadata"),
    Case("http://instance-data.ec2.internal/latest/", "AWS by name", "metadata"),
    Case("http://metadata.tencentyun.com/latest/", "Tencent by name", "metadata"),
    Case("http://metadata.azure.internal/metadata/instance", "Azure by name", "metadata"),
    Case("http://wireserver.azure.test/", "a name for an address in public space", "metadata"),
]

IPV6 = [
    Case("http://[::1]:{port}/", "loopback", "loopback"),
    Case("http://[0:0:0:0:0:0:0:1]:{port}/", "loopback in full", "loopback"),
    Case("http://[0000::0001]:{port}/", "loopback with zeros", "loopback"),
    Case("http://[::]:{port}/", "unspecified, which Linux takes for the loopback", "unspecified"),
    Case("http://[::ffff:127.0.0.1]:{port}/", "IPv4-mapped", "loopback"),
    Case("http://[::ffff:7f00:1]:{port}/", "IPv4-mapped in hexadecimal", "loopback"),
    Case("http://[0:0:0:0:0:FFFF:127.0.0.1]:{port}/", "IPv4-mapped in full", "loopback"),
    Case("http://[::ffff:0.0.0.0]:{port}/", "unspecified, mapped", "unspecified"),
    Case("http://[::127.0.0.1]:{port}/", "IPv4-compatible", "loopback"),
    Case("http://[::8.8.8.8]:{port}/", "IPv4-compatible: deprecated, whatever it holds", "reserved"),
    Case("http://[::ffff:0:127.0.0.1]:{port}/", "IPv4-translated", "reserved"),
    Case("http://[64:ff9b::127.0.0.1]:{port}/", "behind NAT64", "loopback"),
    Case("http://[64:ff9b::10.0.0.1]:{port}/", "behind NAT64", "private"),
    Case("http://[64:ff9b:1::127.0.0.1]:{port}/", "behind a NAT64 of one's own", "private"),
    Case("http://[2002:7f00:1::]:{port}/", "6to4 to the loopback", "loopback"),
    Case("http://[2002:a00:1::1]:{port}/", "6to4 to a private address", "private"),
    Case("http://[2001:0:7f00:1::80ff:fffe]:{port}/", "Teredo", "reserved"),
    Case("http://[2001:470:1f0b::5efe:127.0.0.1]:{port}/", "ISATAP", "loopback"),
    Case("http://[2001:470:1f0b::200:5efe:a00:1]:{port}/", "ISATAP", "private"),
    Case("http://[fe80::1]:{port}/", "link-local", "link-local"),
    Case("http://[fe80::1%25lo]:{port}/", "link-local with a zone", "not a valid host"),
    Case("http://[fe80::1%lo]:{port}/", "a zone as a terminal takes it", "not a valid host"),
    Case("http://[::1%25lo]:{port}/", "loopback with a zone", "not a valid host"),
    Case("http://[::1%251]:{port}/", "loopback with the number of a zone", "not a valid host"),
    Case("http://[::ffff:127.0.0.1%25lo]:{port}/", "mapped with a zone", "not a valid host"),
    Case("http://[fc00::1]:{port}/", "unique local", "private"),
    Case("http://[fd12:3456:789a::1]:{port}/", "unique local", "private"),
    Case("http://[fec0::1]:{port}/", "site-local, deprecated", "private"),
    Case("http://[ff02::1]:{port}/", "multicast", "multicast"),
    Case("http://[100::1]:{port}/", "thrown away", "reserved"),
    Case("http://[5f00::1]:{port}/", "segment routing", "reserved"),
    Case("http://[2001:db8::1]:{port}/", "documentation", "documentation"),
    Case("http://[4000::1]:{port}/", "not given out yet", "reserved"),
    Case("http://[::1].:{port}/", "a dot behind the bracket", "not a valid host"),
    Case("http://[::1]public.test:{port}/", "a name behind the bracket", "not a valid host"),
    Case("http://public.test[::1]:{port}/", "a name before the bracket", "not a valid host|not a valid URL"),
    Case("http://[[::1]]:{port}/", "two brackets", "not a valid host|not a valid URL"),
    Case("http://[::1:{port}/", "no closing bracket", "not a valid URL"),
    Case("http://::1:{port}/", "no brackets", "not a valid host"),
    Case("http://[127.0.0.1]:{port}/", "IPv4 in brackets", "not a valid host|not a valid URL"),
    Case("http://[localhost]:{port}/", "a name in brackets", "not a valid host|not a valid URL"),
    Case("http://[v1.127.0.0.1]:{port}/", "a future version", "not a valid host|not a valid URL"),
    Case("http://[]:{port}/", "nothing in brackets", "not a valid host|not a valid URL"),
    Case("http://[\uff1a\uff1a\uff11]:{port}/", "fullwidth in brackets", "not a valid host|not a valid URL"),
]

NAMED = [
    Case("http://localhost:{port}/", "the name", "loopback"),
    Case("http://LOCALHOST:{port}/", "in upper case", "loopback"),
    Case("http://localhost.:{port}/", "with a dot at the end", "loopback"),
    Case("http://sub.localhost:{port}/", "below it (RFC 6761)", "loopback"),
    Case("http://a.b.LocalHost.:{port}/", "far below it", "loopback"),
    Case("http://localhost6:{port}/", "an alias of some systems", "loopback"),
    Case("http://ip6-localhost:{port}/", "Debian's alias", "loopback"),
    Case("http://localhost.localdomain:{port}/", "Red Hat's alias", "loopback"),
    Case("http://xn--lcalhost-54a:{port}/", "punycode of a look-alike", "loopback"),
    Case("http://l\u043ecalhost:{port}/", "a Cyrillic letter", "loopback"),
    Case("http://xn--:{port}/", "punycode of nothing", "loopback|not a valid host"),
    Case("http://private.test:{port}/", "a name that resolves to a private address", "private"),
    Case("http://nine-networks.test:{port}/", "a name with many private addresses", "private"),
    Case("http://127.0.0.1.nip.test:{port}/", "a name that spells its address", "loopback"),
    Case("http://six.test:{port}/", "a name that resolves to ::1", "loopback"),
    Case("http://zero.test:{port}/", "a name that resolves to 0.0.0.0", "unspecified"),
    Case("http://zero-six.test:{port}/", "a name that resolves to ::", "unspecified"),
    Case("http://mapped.test:{port}/", "a name that resolves to a mapped address", "loopback"),
    Case("http://mapped-metadata.test/", "a name that resolves to mapped metadata", "metadata"),
    Case("http://translated.test:{port}/", "a name that resolves into NAT64", "loopback"),
    Case("http://translated-locally.test:{port}/", "a name that resolves into a local NAT64", "private"),
    Case("http://tunnelled.test:{port}/", "a name that resolves into 6to4", "loopback"),
    Case("http://isatap.test:{port}/", "a name that resolves into ISATAP", "loopback"),
    Case("http://link-local.test:{port}/", "a name that resolves to a link-local address", "link-local"),
    Case("http://multicast.test:{port}/", "a name that resolves to a group", "multicast"),
    Case("http://broadcast.test:{port}/", "a name that resolves to everybody", "reserved"),
    Case("http://kubernetes.default.svc/api", "a cluster's own API", "private"),
    Case("http://host.docker.internal:{port}/", "a container's host", "private"),
    Case("http://sub.public.test:{port}/", "a name below an allowed one is another name", "loopback"),
    Case("http://publictest:{port}/", "an allowed name without its dot", "loopback"),
]

ALL = [*IPV4, *METADATA, *IPV6, *NAMED]
