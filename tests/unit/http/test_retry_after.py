"""How long a server asks not to be called again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.http.retry_after import LONGEST_SECONDS, parse_retry_after

NOW = datetime(1994, 11, 6, 8, 49, 20, tzinfo=UTC)


@given(st.text() | st.integers().map(str) | st.datetimes().map(str))
def test_any_header_is_parsed_without_an_error(value: str) -> None:
    seconds = parse_retry_after(value, datetime.now(UTC))
    assert seconds is None or 0 <= seconds <= LONGEST_SECONDS


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 7 ", 7),
        ("9" * 5000, 86_400),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 17),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 17),
        ("Sun Nov  6 08:49:37 1994", 17),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 17),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
    ],
)
def test_a_header_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds
