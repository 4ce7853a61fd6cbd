"""How one test is drawn."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from coinrequest.urltest import Certificate, Expectations, Hop, Phases, UrlTest
from coinrequest.urltest.waterfall import plain, show

# Where bars begin.
LABEL = 29
SHORT = Phases(resolve=0.01, connect=0.01, first_byte=0.01, transfer=0.01, total=0.04)
LONG = Phases(resolve=0.01, connect=0.01, tls=0.02, first_byte=0.05, transfer=0.01, total=0.1)
SEEN = UrlTest(
    url="example.test",
    result="200",
    status=200,
    error=None,
    passed=True,
    failed_expectations=(),
    attempts=1,
    tested_at=datetime(2026, 11, 22, 8, tzinfo=UTC),
    phases=SHORT + LONG,
    redirects=(
        Hop(
            url="http://example.test/",
            status=301,
            location="https://example.test/",
            phases=SHORT,
            remote_address="192.0.2.1:80",
        ),
    ),
    http_version="2",
    remote_address="[2001:db8::1]:443",
    certificate=Certificate(
        subject="CN = example.test",
        issuer="CN = Example CA",
        names=("example.test",),
        not_before=datetime(2026, 11, 1, tzinfo=UTC),
        not_after=datetime(2027, 1, 30, tzinfo=UTC),
        days_left=68.7,
        verified=True,
    ),
    size=12_345,
    truncated=False,
    final_url="https://example.test/",
)


def drawn(test: UrlTest, expect: Expectations | None = None, width: int = 80, encoding: str = "utf-8") -> list[str]:
    written = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show(Console(file=written, width=width, markup=False, highlight=False), test, expect or Expectations())
    written.seek(0)
    return written.read().splitlines()


def bars(lines: list[str]) -> dict[str, list[tuple[int, int]]]:
    """Return for each phase where the bars of it begin and end, one for each hop."""
    found: dict[str, list[tuple[int, int]]] = {}
    for line in lines:
        if line.startswith("    ") and " ms  " in line:
            begin = len(line) - len(line[LABEL:].lstrip())
            found.setdefault(line[4:14].strip(), []).append((begin - LABEL, len(line) - LABEL))
    return found


def test_a_waterfall_is_readable_without_colour() -> None:
    assert drawn(SEEN) == [
        "passed  example.test",
        "  301  http://example.test/",
        "       from 192.0.2.1:80, redirects to https://example.test/",
        "    resolve         10.0 ms  ███▋",
        "    connect         10.0 ms      ███▎",
        "    first byte      10.0 ms         ███▉",
        "    transfer        10.0 ms             ███▋",
        "  200  https://example.test/",
        "       HTTP/2 from [2001:db8::1]:443",
        "    resolve         10.0 ms                 ███▎",
        "    connect         10.0 ms                    ███▉",
        "    TLS             20.0 ms                        ███████▏",
        "    first byte      50.0 ms                               ██████████████████▍",
        "    transfer        10.0 ms                                                 ████",
        "    total          140.0 ms",
        "  tested at    2026-11-22T08:00:00+00:00",
        "  attempts     1",
        "  certificate  CN = example.test, issued by CN = Example CA",
        "               68.7 days left, until 2027-01-30",
        "  body         12,345 bytes",
        "  met          status: below 400",
    ]


def test_bars_follow_each_other_and_end_with_the_line() -> None:
    found = bars(drawn(SEEN, width=100 + LABEL))
    one_after_the_other = sorted(bar for bars_of_phase in found.values() for bar in bars_of_phase)
    assert len(one_after_the_other) == 9
    assert all(abs(end - begin) <= 1 for (_, end), (begin, _) in pairwise(one_after_the_other))
    assert one_after_the_other[0][0] == 0
    assert one_after_the_other[-1][1] == 100
    (_, _), (begin, end) = found["first byte"]
    assert end - begin == pytest.approx(100 * 0.05 / 0.14, abs=1.5)


def test_a_terminal_without_block_characters_gets_other_bars() -> None:
    lines = drawn(SEEN, encoding="ascii")
    assert "    TLS             20.0 ms                        #######" in lines


@pytest.mark.parametrize(("no_color", "colour"), [("1", False), (None, True)])
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, colour: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    written = io.StringIO()
    show(Console(file=written, force_terminal=True, markup=False, highlight=False), SEEN, Expectations())
    assert ("\x1b[36m" in written.getvalue()) is colour


def test_an_error_is_shown_with_the_hops_before_it() -> None:
    failed = replace(
        SEEN,
        result="it is over",
        error="it is over",
        status=None,
        passed=False,
        phases=None,
        certificate=replace(SEEN.certificate, verified=False) if SEEN.certificate else None,
    )
    lines = drawn(failed)
    assert lines[0] == "FAILED  example.test"
    assert lines[1] == "  301  http://example.test/"
    assert "  error  it is over" in lines
    assert "  certificate  CN = example.test, issued by CN = Example CA, not verified" in lines
    assert not any(line.startswith(("  met", "  body")) for line in lines)


def test_every_expectation_is_named() -> None:
    expect = Expectations(
        status="200",
        body_contains="a",
        body_matches="b+",
        json_path={"$.a": 1, "$.b": ...},
        headers={"Server": "x"},
        max_seconds=1,
        certificate_days=14,
    )
    failures = ("json_path $.b: it selects nothing", "certificate_days: expected at least 14 days, 1.0 are left")
    lines = drawn(replace(SEEN, passed=False, failed_expectations=failures), expect)
    assert [line.strip() for line in lines if line.startswith(("  met", "  FAILED"))] == [
        "met          status: 200",
        "met          body_contains: 'a'",
        "met          body_matches: 'b+'",
        "met          json_path $.a: 1",
        "met          header Server: 'x'",
        "met          max_seconds: 1 s",
        "FAILED       json_path $.b: it selects nothing",
        "FAILED       certificate_days: expected at least 14 days, 1.0 are left",
    ]


lengths = st.integers(0, 60_000_000).map(lambda microseconds: microseconds / 1_000_000)
phases = st.builds(Phases, resolve=lengths, connect=lengths, tls=lengths, first_byte=lengths, transfer=lengths).map(
    lambda one: replace(one, total=one.resolve + one.connect + one.tls + one.first_byte + one.transfer)
)


@given(
    hops=st.lists(phases, min_size=1, max_size=4),
    width=st.integers(40, 200),
    encoding=st.sampled_from(["utf-8", "ascii"]),
)
def test_bars_stay_within_the_width(hops: list[Phases], width: int, encoding: str) -> None:
    *before, _last = hops
    redirects = tuple(replace(SEEN.redirects[0], phases=one) for one in before)
    test = replace(SEEN, phases=sum(hops[1:], hops[0]), redirects=redirects)
    found = bars(drawn(test, width=width, encoding=encoding))
    assert all(0 <= begin < end <= width - LABEL for ranges in found.values() for begin, end in ranges)


@given(st.text())
def test_output_is_printable_and_printable_text_is_unchanged(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(text) == text or not text.isprintable()
