"""Durations as people write them."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.durations import MAX_DURATION, DurationInvalid, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("30s", 30), ("5m", 300), ("90m", 5400), ("1h30m", 5400), ("2d", 172800), ("1d2h3m4s", 93784)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "s", "-5s", "5 s", "5S", "30m1h", "1h1h", "1.5h", "PT5M", "5s\n", "٣s", "366d", "999999999d", "1w"],
)
def test_texts_that_are_not_durations_are_refused(text):
    with pytest.raises(DurationInvalid):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=MAX_DURATION))
def test_a_formatted_duration_can_be_parsed(duration):
    whole = timedelta(seconds=duration // timedelta(seconds=1))
    assert parse_duration(format_duration(duration)) == whole


@given(st.text(alphabet="0123456789dhms .-") | st.text())
def test_no_text_breaks_the_parser(text):
    with suppress(DurationInvalid):
        assert timedelta(0) <= parse_duration(text) <= MAX_DURATION


def test_a_negative_duration_cannot_be_formatted():
    with pytest.raises(ValueError, match="cannot be negative"):
        format_duration(timedelta(seconds=-1))
