import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.raw_server import LOOPBACK, Conversation, make_certificate, raw_server

from coinrequest.http.certificate import parse_certificate
from coinrequest.urltest import Expectations, UrlTest, url_test

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def seen_at(port: int, host: str = "127.0.0.1", **options: object) -> UrlTest:
    return url_test.test_url(f"https://{host}:{port}/", guard=LOOPBACK, timeout=5, **options)  # type: ignore[arg-type]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path / "server.pem", "127.0.0.1", "status.example.test", "::1", subject="Grün GmbH")


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


def test_a_trusted_certificate_is_described(trusted: Path) -> None:
    with raw_server(OK, trusted) as server:
        seen = seen_at(server.port)
    assert (seen.result, seen.passed) == ("200", True)
    assert seen.phases is not None
    assert seen.phases.tls > 0
    found = seen.certificate
    assert found is not None
    assert found.subject == found.issuer == "CN = Grün GmbH"
    assert found.names[:2] == ("127.0.0.1", "status.example.test")
    assert found.verified is True
    assert 29.9 < found.days_left < 30
    assert abs(found.not_after - (datetime.now(UTC) + timedelta(days=30))) < timedelta(minutes=1)
    assert found.not_before < datetime.now(UTC) - timedelta(hours=23)


def test_an_untrusted_certificate_is_an_error_and_is_described(certificate: Path) -> None:
    with raw_server(OK, certificate) as server:
        seen = seen_at(server.port)
        assert server.requests == [], "nothing was sent"
    assert "certificate" in seen.result
    assert (seen.status, seen.attempts, seen.passed) == (None, 1, False)
    assert seen.certificate is not None
    assert seen.certificate.names[1] == "status.example.test"
    assert seen.certificate.verified is False
    assert seen.remote_address == f"127.0.0.1:{server.port}"
    assert seen.final_url == f"https://127.0.0.1:{server.port}/"


def test_a_certificate_for_another_host_is_an_error_and_is_described(trusted: Path) -> None:
    with raw_server(OK, trusted) as server:
        seen = seen_at(server.port, "other.example.test", resolve={"other.example.test": ["127.0.0.1"]})
        assert server.requests == []
    assert "other.example.test" in seen.result
    assert seen.certificate is not None
    assert seen.certificate.verified is False


def test_an_expired_certificate_has_negative_days_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_certificate(tmp_path / "old.pem", "127.0.0.1", begins=-10, days=-3)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with raw_server(OK, path) as server:
        seen = seen_at(server.port)
    assert "expired" in seen.result
    assert seen.certificate is not None
    assert -3.1 < seen.certificate.days_left < -2.9


def test_any_certificate_is_accepted_only_without_verification(certificate: Path) -> None:
    with raw_server(OK, certificate) as server:
        seen = seen_at(server.port, verify_tls=False)
    assert seen.result == "200"
    assert seen.certificate is not None
    assert seen.certificate.verified is False


def test_a_certificate_may_have_to_be_valid_for_some_days(trusted: Path) -> None:
    with raw_server(OK, trusted) as server:
        assert seen_at(server.port, expect=Expectations(certificate_days=14)).passed
        seen = seen_at(server.port, expect=Expectations(certificate_days=60))
    assert seen.result == "200"
    assert re.fullmatch(
        r"certificate_days: expected at least 60 days, (30\.0|29\.9) are left", seen.failed_expectations[0]
    )


def test_a_missing_subject_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_certificate(tmp_path / "server.pem", "127.0.0.1", subject="", critical=True)
    with raw_server(OK, path) as server:
        found = seen_at(server.port, verify_tls=False).certificate
    assert found is not None
    assert (found.subject, found.issuer, found.names) == ("", "CN = Stub", ("127.0.0.1",))


def test_a_server_without_tls_is_an_error_without_a_certificate() -> None:
    with raw_server(OK) as server:
        seen = seen_at(server.port)
    assert "TLS" in seen.result or "SSL" in seen.result
    assert seen.certificate is None


def test_a_redirect_to_plain_http_has_no_certificate(trusted: Path) -> None:
    with raw_server(OK) as plain:

        def redirect(conversation: Conversation) -> None:
            conversation.say(f"HTTP/1.1 302 Found\r\nLocation: {plain.url}/\r\nContent-Length: 0\r\n\r\n".encode())

        with raw_server(redirect, trusted) as server:
            seen = seen_at(server.port, expect=Expectations(certificate_days=1))
    assert seen.certificate is None
    assert [text.partition(":")[0] for text in seen.failed_expectations] == ["certificate_days"]
    assert seen.redirects[0].phases.tls > 0


def test_a_certificate_of_a_redirect_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = (make_certificate(tmp_path / f"{days}.pem", "127.0.0.1", days=days) for days in (5, 100))
    (tmp_path / "both.pem").write_bytes(short.read_bytes() + long.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))
    expected = Expectations(status="200,302", certificate_days=14)
    with raw_server(OK, long) as last:
        location = f"HTTP/1.1 302 Found\r\nLocation: {last.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        with raw_server(location, short) as first:
            assert seen_at(first.port, expect=expected).passed
            alone = seen_at(first.port, expect=expected, redirect_limit=0)
    assert alone.failed_expectations == ("certificate_days: expected at least 14 days, 5.0 are left",)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("Start date", "Jan  1 00:00:00 2026 GMT")],
        [("Start date", "yesterday"), ("Expire date", "Jan  1 00:00:00 2026 GMT")],
    ],
)
def test_a_malformed_certificate_is_none(fields: list[tuple[str, str]]) -> None:
    assert parse_certificate(fields, verified=True, now=datetime.now(UTC)) is None
