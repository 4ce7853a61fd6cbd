import contextlib
import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinrequest.http.errors import UrlRefused
from coinrequest.http.target import parse_target, with_scheme


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("example.test", "http://example.test"),
        ("  example.test/a?b#c ", "http://example.test/a?b#c"),
        ("example.test:8080/path", "http://example.test:8080/path"),
        ("localhost:80", "http://localhost:80"),
        ("//example.test/x", "http://example.test/x"),
        ("example.test/?next=http://other.test", "http://example.test/?next=http://other.test"),
        ("https://example.test/ü\"'", "https://example.test/ü\"'"),
        ("file:/etc/passwd", "file:/etc/passwd"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("", ""),
    ],
)
def test_a_url_without_a_scheme_is_http(typed: str, meant: str) -> None:
    assert with_scheme(typed) == meant


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://Example.TEST", "http://example.test/"),
        ("HTTPS://example.test:443/a b", "https://example.test/a%20b"),
        ("http://example.test:8080?q=ü&r=\"'", "http://example.test:8080/?q=%C3%BC&r=%22'"),
        ("http://example.test/100%/%41#part", "http://example.test/100%/%41"),
        ("http://münchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://[::1]:81/x", "http://[::1]:81/x"),
        ("http://[::FFFF:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ("http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "http://127.0.0.1/"),
        ("http://my_host.example./", "http://my_host.example./"),
        ("http://user:pass@example.test/", "http://example.test/"),
        ("http://example.test@127.0.0.1/", "http://127.0.0.1/"),
        ("http://127.0.0.1#@example.test/", "http://127.0.0.1/"),
        ("http://a@b@127.0.0.1:80@example.test/", "http://example.test/"),
        ("http://example.test:/", "http://example.test/"),
        ("http://example.test:00080/", "http://example.test/"),
        ("http://fa\u00df.example/", "http://xn--fa-hia.example/"),
        ("http://\u2460\u2461\u2466.0.0.1/", "http://127.0.0.1/"),
        ("http://127\u30020\u30020\u30021/", "http://127.0.0.1/"),
        ("http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/", "http://localhost/"),
        ("http://loc\u00adal\u200bhost/", "http://localhost/"),
    ],
)
def test_urls_are_unambiguous(url: str, sent: str) -> None:
    assert parse_target(url).url == sent


def test_user_information_is_credentials_and_never_part_of_the_host() -> None:
    target = parse_target("http://us%40er\u00fc:p%3Ass@example.test/")
    assert (target.username, target.password, target.host) == ("us@er\u00fc".encode(), b"p:ss", "example.test")
    assert "p:ss" not in repr(target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.test",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/_x",
        "ftp://example.test/",
        "dict://127.0.0.1:11211/stat",
        "http://",
        "http:///path",
        "http://:80/",
        "http://user@/",
        "http://example.test:0/",
        "http://example.test:65536/",
        "http://example.test:port/",
        "http://exa mple.test/",
        "http://example.test\\@127.0.0.1/",
        "http://example.test%2f@127.0.0.1%00/",
        "http://127.0.0.1%2f.example.test/",
        "http://exa\tmple.test/",
        "http://example.test/\r\nX: y",
        "http://example.test/\x00",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://[127.0.0.1]/",
        "http://a..b/",
        "http://.example.test/",
        f"http://{'a' * 64}.test/",
        f"http://{'.'.join(['a' * 60] * 5)}/",
        f"http://example.test/{'a' * 9000}",
        "http://exa*mple.test/",
        "http://127.0.0.1./",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://example.0x1/",
        "http://example.1/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://010.0.0.1/",
        "http://08.0.0.1/",
        "http://[::1]evil.test/",
        "http://evil.test[::1]/",
        "http://[::1]:80:81/",
        "http://example.test:80:81/",
        "http://example.test:+80/",
        "http://example.test:8_0/",
        "http://example.test:\u0668\u0660/",
        "http://example.test:000080/",
        "http://a%00b@example.test/",
        "http://a:b%0d%0aX@example.test/",
        "http://\ud800.test/",
        "http://\ud800@example.test/",
        "http://example.test/\ud800",
        "http://example.test/?\udfff",
        "http://example.test\uff20127.0.0.1/",
        "http://example.test\u2100127.0.0.1/",
        "http://\u00fc" + ".\u00fc" * 4000 + "/",
    ],
)
def test_urls_that_are_not_plain_http_are_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        parse_target(url)


def hosts() -> st.SearchStrategy[str]:
    """Return what comes close to being a host."""
    piece = st.one_of(
        st.sampled_from(
            ["127", "0x7f", "0177", "2130706433", "localhost", "example", "xn--", "%31", "..", "1e1", "0x"]
        ),
        st.text("0123456789abcdefxABCDEFX-_%:[]\u3002\uff11\u2460", max_size=6),
    )
    return st.lists(piece, max_size=5).map(".".join)


@given(st.one_of(st.text(st.characters(), max_size=60), hosts().map("http://{}/".format)))
def test_parsing_is_idempotent_or_refuses_the_text(text: str) -> None:
    try:
        target = parse_target(with_scheme(text))
    except UrlRefused:
        return
    assert target.url.isascii()
    assert "@" not in target.url.split("/")[2]
    assert parse_target(target.url) == replace(target, username=b"", password=b"")


def what_libcurl_reads(url: str) -> str:
    """Return the URL as libcurl reads it; it resolves no name and opens no socket."""
    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.RESOLVE, [f"*:{parse_target(url).port}:203.0.113.9"])
    curl.setopt(pycurl.OPENSOCKETFUNCTION, lambda purpose, address: pycurl.SOCKET_BAD)
    with contextlib.suppress(pycurl.error):
        curl.perform()
    effective = str(curl.getinfo(pycurl.EFFECTIVE_URL))
    curl.close()
    return effective


@given(hosts(), st.sampled_from(["", ":80", ":8080", ":1", ":65535"]))
@settings(max_examples=300, deadline=None)
def test_libcurl_parses_the_same_host_and_port(host: str, port: str) -> None:
    try:
        target = parse_target(f"http://{host}{port}/")
    except UrlRefused:
        return
    assert what_libcurl_reads(target.url) == target.url


@given(st.ip_addresses(v=4), st.data())
def test_an_ipv4_address_has_one_spelling(address: ipaddress.IPv4Address, data: st.DataObject) -> None:
    first, second, third, fourth = address.packed
    assert parse_target(f"http://{address}/").host == str(address)
    odd = [
        f"{int(address)}",
        f"{int(address):#x}",
        f"0{int(address):o}",
        f"{first}.{int(address) & 0xFFFFFF}",
        f"{first}.{second}.{int(address) & 0xFFFF}",
        f"{first:#x}.{second:#x}.{third:#x}.{fourth:#x}",
        f"0{first:o}.0{second:o}.0{third:o}.0{fourth:o}",
        f"0{address}",
        f"{address}.",
        f"0X{int(address):X}",
    ]
    with pytest.raises(UrlRefused):
        parse_target(f"http://{data.draw(st.sampled_from(odd))}/")
