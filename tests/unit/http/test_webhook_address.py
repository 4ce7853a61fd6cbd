"""Which addresses a notice may be posted to, as far as the URL tells."""

import pytest

from coinrequest.http.guard import AddressGuard
from coinrequest.http.webhook_address import webhook_refusal

NOBODY = AddressGuard()
SOME = AddressGuard(["127.0.0.0/8", "hooks.internal", "fd00::/8"])


@pytest.mark.parametrize(
    "url",
    ["https://example.org/hook", "https://example.org:8443/a?b=c", "https://93.184.216.34/", "https://notlocalhost/"],
)
def test_public_https_urls_are_accepted(url: str) -> None:
    assert webhook_refusal(url, NOBODY) is None


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://example.org/hook", "https"),
        ("ftp://example.org", "http and https"),
        ("example.org/hook", "http and https"),
        ("https://", "no host"),
        ("https://u:p@example.org", "user name"),
        ("https://127.0.0.1/", "loopback"),
        ("https://[::1]/", "loopback"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://169.254.169.254/latest", "metadata"),
        ("https://[64:ff9b::7f00:1]/", "loopback"),
        ("https://localhost/", "loopback"),
        ("https://LOCALHOST./", "loopback"),
        ("https://a.localhost:8443/", "loopback"),
        ("https://2130706433/", "number"),
        ("https://127.1/", "number"),
        ("http://hooks.internal/", "https"),
    ],
)
def test_other_urls_are_refused_with_the_reason(url: str, part: str) -> None:
    assert part in (webhook_refusal(url, NOBODY) or "")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "https://127.0.0.1/", "http://HOOKS.internal./x", "http://[fd00::1]/"]
)
def test_allowed_hosts_may_use_plain_http(url: str) -> None:
    assert webhook_refusal(url, SOME) is None


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://hooks.internal.example.org/", "http://localhost/"])
def test_other_hosts_may_not_use_plain_http(url: str) -> None:
    assert webhook_refusal(url, SOME) is not None
