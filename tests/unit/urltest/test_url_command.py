"""`coinrequest url`, from the words to what is printed."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.http_stub import HttpStub, Reply

from coinrequest import cli
from coinrequest.urltest import UrlTest, command
from coinrequest.urltest.arguments import parser

pytestmark = pytest.mark.usefixtures("loopback_allowed")


@pytest.fixture(autouse=True)
def plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)


def run(*words: str) -> int:
    return cli.main(["url", *words])


def test_one_url_is_a_waterfall(http_stub: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    http_stub.replies = [Reply(302, headers={"Location": "/there"}), Reply(body=b"it works")]
    assert run(http_stub.url) == 0
    shown, said = capsys.readouterr()
    assert said == ""
    lines = shown.splitlines()
    assert lines[0] == f"passed  {http_stub.url}"
    labels = ["resolve", "connect", "first byte", "transfer"]
    assert [line[4:14].strip() for line in lines if line.startswith("    ") and " ms" in line] == [
        *labels,
        *labels,
        "total",
    ]
    assert f"  302  {http_stub.url}/" in lines
    assert f"       from 127.0.0.1:{http_stub.port}, redirects to /there" in lines
    assert f"  200  {http_stub.url}/there" in lines
    assert "  body         8 bytes" in lines
    assert shown.replace("\n", "").isprintable()


def test_met_and_failed_expectations_are_shown(http_stub: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--contains", "bye", "--max-seconds", "20", "--expect-header", "Content-Length: ^5$"]
    assert run(http_stub.url, *words) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"FAILED  {http_stub.url}"
    assert [line.split(":")[0].split(maxsplit=1) for line in lines if line.startswith(("  met", "  FAILED"))] == [
        ["met", "status"],
        ["met", "header Content-Length"],
        ["met", "max_seconds"],
        ["FAILED", "body_contains"],
    ]


def test_the_request_can_be_configured(http_stub: HttpStub, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b'{"a": 1}')
    words = ["--header", "Content-Type: application/json", "--header", "X-One: 1"]
    assert run(http_stub.url, *words, "--data", f"@{tmp_path / 'body'}") == 0
    assert run(http_stub.url, *words, "--data", "text", "--method", "put") == 0
    assert [(hit.method, hit.body, hit.headers["x-one"]) for hit in http_stub.hits] == [
        ("POST", b'{"a": 1}', "1"),
        ("PUT", b"text", "1"),
    ]
    assert http_stub.hits[0].headers["content-type"] == "application/json"


def test_a_host_can_be_resolved_to_an_address(http_stub: HttpStub) -> None:
    url = f"http://Example.TEST:{http_stub.port}/"
    assert run(url, "--resolve", "example.test:127.0.0.1", "-4") == 0
    assert http_stub.hits[0].headers["host"] == f"example.test:{http_stub.port}"


def test_attempts_and_redirects_can_be_limited(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(500)]
    assert run(http_stub.url, "--attempts", "2") == 1
    assert len(http_stub.hits) == 2
    http_stub.replies = [Reply(302, headers={"Location": "/"})]
    assert run(http_stub.url, "--redirects", "0", "--expect-status", "3xx") == 0
    assert len(http_stub.hits) == 3


def test_several_urls_are_a_table_with_failures_at_the_end(
    http_stub: HttpStub, capsys: pytest.CaptureFixture[str]
) -> None:
    http_stub.answer = lambda hit: Reply(404 if hit.path == "/missing" else 200)
    paths = ["/missing", "/a", "/b", "/c"]
    assert run(*(http_stub.url + path for path in paths), "--attempts", "1") == 1
    shown = capsys.readouterr().out
    head, *rows, missing, reason, summary = shown.splitlines()
    assert head.split() == ["status", "total", "URL"]
    assert {(row.split()[0], row.split()[1], row.split()[-1]) for row in rows} == {
        ("passed", "200", f"{http_stub.url}{path}") for path in paths[1:]
    }
    times = [float(row.split()[2]) for row in rows]
    assert times == sorted(times)
    assert missing.split()[:2] == ["FAILED", "404"]
    assert reason.strip() == "status: expected below 400, got 404"
    assert summary.startswith("4 URLs in ")
    assert summary.endswith(": 1 failed")


def test_urls_are_read_from_a_file_and_from_stdin(
    http_stub: HttpStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = f"\ufeff# pages\n{http_stub.url}/a\n\n  {http_stub.url}/b#part  \r\n"
    path = tmp_path / "urls"
    path.write_text(listed, encoding="utf-8")
    assert run("--file", str(path), f"{http_stub.url}/first") == 0
    assert sorted(hit.path for hit in http_stub.hits) == ["/a", "/b", "/first"]
    http_stub.hits.clear()
    with path.open(encoding="utf-8-sig") as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        assert run("--file", "-") == 0
    assert sorted(hit.path for hit in http_stub.hits) == ["/a", "/b"]


def test_json_is_a_line_for_each_url(http_stub: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    http_stub.answer = lambda hit: Reply(
        302 if hit.path == "/from" else 200, headers={"Location": "/tö".encode().decode("latin-1")}
    )
    odd = f"{http_stub.url}/\"ü\"?q='1'"
    assert run(f"{http_stub.url}/from", odd, "http://127.0.0.1:1/", "--json") == 1
    shown, said = capsys.readouterr()
    assert said == ""
    assert shown.isascii()
    found = {test["url"]: test for test in map(json.loads, shown.splitlines())}
    assert found.keys() == {f"{http_stub.url}/from", odd, "http://127.0.0.1:1/"}
    redirected = found[f"{http_stub.url}/from"]
    assert redirected["redirects"][0]["status"] == 302
    assert redirected["phases"]["total"] > redirected["redirects"][0]["phases"]["total"] > 0
    assert datetime.fromisoformat(redirected["tested_at"]).utcoffset() == datetime.now(UTC).utcoffset()
    refused = found["http://127.0.0.1:1/"]
    assert (refused["passed"], refused["phases"]) == (False, None)
    assert refused["result"] == refused["error"]


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        ("$.state", "$.state", ...),
        ("$.state=up", "$.state", "up"),
        ('$.state="1"', "$.state", "1"),
        ("$.count=1", "$.count", 1),
        ("$.open=true", "$.open", True),
        ("$.text=a=b", "$.text", "a=b"),
        ("$['a=b']=null", "$['a=b']", None),
        ("$.all[?@.name=='x'].state=up", "$.all[?@.name=='x'].state", "up"),
    ],
)
def test_a_jsonpath_is_split_from_its_value(words: str, path: str, value: object) -> None:
    assert parser().parse_args(["example.test", "--json-path", words]).json_path == [(path, value)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no URL"),
        (["--file", "/no/such/file"], "/no/such/file: No such file"),
        (["example.test", "--timeout", "0"], "must be a number of seconds greater than 0"),
        (["example.test", "--concurrency", "1001"], "from 1 to 1,000"),
        (["example.test", "--method", "BREW"], "BREW"),
        (["example.test", "--header", "no colon"], "must be a name, a colon and a value"),
        (["example.test", "--header", "Host: other.test"], "Host"),
        (["example.test", "--data", "@/no/such/file"], "/no/such/file: No such file"),
        (["example.test", "--resolve", "example.test"], "a host, a colon and an address"),
        (["example.test", "--resolve", "example.test:nowhere"], "a host, a colon and an address"),
        (["example.test", "-4", "-6"], "not allowed with argument"),
        (["example.test", "--allow", "10.0.0.0/99"], "neither a network nor a host name"),
        (["example.test", "--expect-status", "okay"], "is not a status"),
        (["example.test", "--matches", "("], "not an RE2 expression"),
        (["example.test", "--json-path", "state=up"], "not a JSONPath"),
        (["example.test", "--certificate-days", "soon"], "must be a number of days"),
    ],
)
def test_invalid_arguments_are_explained(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = run(*words)
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    shown, explained = capsys.readouterr()
    assert shown == ""
    assert said in explained


def test_a_file_that_is_not_text_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "urls").write_bytes(b"http://\xff\n")
    assert run("--file", str(tmp_path / "urls")) == 2
    assert "utf-8" in capsys.readouterr().err


def test_help_has_examples_and_units(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("--help")
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for part in ("examples:", "SECONDS", "DAYS", "exit codes:", "COINREQUEST_ALLOWED_NETWORKS"):
        assert part in shown


def test_a_refused_address_has_a_hint_how_to_allow_it(
    http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COINREQUEST_ALLOWED_NETWORKS")
    assert run(http_stub.url) == 1
    shown = capsys.readouterr().out
    assert "  error  127.0.0.1 is refused: loopback address" in shown.splitlines()
    assert "COINREQUEST_ALLOWED_NETWORKS=127.0.0.1/32" in shown
    assert run(http_stub.url, "--allow", "127.0.0.1/32") == 0
    assert "--allow" not in capsys.readouterr().out


def test_there_is_no_hint_for_cloud_metadata(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("http://169.254.169.254/") == 1
    shown = capsys.readouterr().out
    assert "is refused" in shown
    assert "--allow" not in shown


def test_servers_cannot_control_the_terminal(http_stub: HttpStub, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07\x9b31m"
    http_stub.replies = [Reply(headers={"X-Evil": evil}), Reply(302, headers={"Location": f"/{evil}"})]
    assert run(http_stub.url, "--expect-header", "X-Evil: ^good$") == 1
    assert run(http_stub.url) == 1
    assert run(http_stub.url, "--json") == 1
    assert run(f"{http_stub.url}/{evil}") == 1
    shown = capsys.readouterr().out
    assert "owned" in shown
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize("output", [[], ["--json"]])
@pytest.mark.parametrize("charset", ["undefined", "idna", "punycode", "base64", "zip", "utf-7", "no such", "\\x00"])
def test_an_odd_charset_costs_no_other_url_its_result(
    http_stub: HttpStub, capsys: pytest.CaptureFixture[str], charset: str, output: list[str]
) -> None:
    odd = {"Content-Type": f"text/html; charset={charset}"}
    http_stub.answer = lambda hit: Reply(body=b"it works \xff", headers=odd if hit.path == "/odd" else {})
    urls = [f"{http_stub.url}/{number}" for number in range(3)] + [f"{http_stub.url}/odd"]
    assert (
        run(*urls, "--contains", "it works", "--matches", "w.rks", "--json-path", "$", "--attempts", "1", *output) == 1
    )
    shown = capsys.readouterr().out
    assert all(url in shown for url in urls)
    assert shown.count("the body is not JSON") == 4


@pytest.mark.parametrize("source", ["file", "-"])
def test_a_file_may_begin_with_a_byte_order_mark(
    http_stub: HttpStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    path = tmp_path / "urls.txt"
    path.write_text(f"\ufeff{http_stub.url}/é\n", encoding="utf-8")
    with path.open(encoding="utf-8") as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        assert run("--file", str(path) if source == "file" else "-") == 0
    assert [hit.path for hit in http_stub.hits] == ["/%C3%A9"]


def test_a_file_that_is_not_utf_8_is_named_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "urls.txt"
    path.write_bytes(b"http://example.test/caf\xe9\n")
    assert run("--file", str(path)) == 2
    shown = capsys.readouterr().err
    assert f"{path} is not UTF-8: " in shown
    assert shown.endswith("save it as UTF-8\n")


def test_a_body_has_the_type_that_a_header_gives_it(http_stub: HttpStub) -> None:
    assert run(http_stub.url, "--data", "a=1") == 0
    assert run(http_stub.url, "--data", "{}", "--header", "Content-Type: application/json") == 0
    assert run(http_stub.url, "--method", "POST") == 0
    assert [hit.headers.get("content-type") for hit in http_stub.hits] == [None, "application/json", None]


def test_ctrl_c_shows_the_finished_tests(
    http_stub: HttpStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = command.test_urls

    def interrupted(urls: list[str], **options: object) -> Iterator[UrlTest]:
        yield from real(urls[:2], **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "test_urls", interrupted)
    assert run(*[http_stub.url] * 5) == 130
    shown, said = capsys.readouterr()
    assert said == "coinrequest url: interrupted after 2 of 5 URLs\n"
    assert shown.count(http_stub.url) == 2
    assert run(*[http_stub.url] * 5, "--json") == 130
    assert len(capsys.readouterr().out.splitlines()) == 2


def _program(*words: str) -> list[str]:
    return [sys.executable, "-m", "coinrequest.cli", "url", *words]


def test_a_closed_pipe_is_not_an_error(http_stub: HttpStub) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(_program(*[http_stub.url] * 3, "--json"), stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 0


def test_only_a_terminal_gets_a_progress_bar(http_stub: HttpStub) -> None:
    terminal, end = pty.openpty()
    words = _program(*[http_stub.url] * 4)
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=end, text=True, check=True)
    os.close(end)
    seen = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "testing" in seen
    assert "4/4" in seen
    assert done.stdout.replace("\n", "").isprintable()
    assert len(done.stdout.splitlines()) == 6
