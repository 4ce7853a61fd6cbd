import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.urltest.errors import UrlRefused
from coinrequest.urltest.target import parse_target, with_scheme


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
    ],
)
def test_a_url_has_one_reading(url: str, sent: str) -> None:
    assert parse_target(url).url == sent


def test_user_information_is_credentials_and_never_part_of_the_host() -> None:
    target = parse_target("http://us%40er:p%3Ass@example.test/")
    assert (target.username, target.password, target.host) == ("us@er", "p:ss", "example.test")
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
    ],
)
def test_what_is_no_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        parse_target(url)


@given(st.text(max_size=60))
def test_any_text_is_read_the_same_twice_or_refused(text: str) -> None:
    try:
        target = parse_target(with_scheme(text))
    except UrlRefused:
        return
    assert target.url.isascii()
    assert "@" not in target.url.split("/")[2]
    again = parse_target(target.url)
    assert (again.scheme, again.host, again.port, again.path) == (
        target.scheme,
        target.host,
        target.port,
        target.path,
    )
