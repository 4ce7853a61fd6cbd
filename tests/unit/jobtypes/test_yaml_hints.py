"""Errors of YAML name what to write instead; mostly, quotes are missing."""

import time

import pytest

from coinrequest.jobtypes.document import load_document
from coinrequest.jobtypes.errors import DocumentInvalid


def refusal(text: str) -> str:
    with pytest.raises(DocumentInvalid) as caught:
        load_document(text.encode(), "application/yaml")
    return caught.value.errors[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "schedule: {cron: */15 * * * *}",
            "is not YAML: a value that begins with '*' needs quotes, as in \"*/15 * * * *\" (line 1, column 18)",
        ),
        ("a: 1\ncron: */15 1,2 * * *\n", 'needs quotes, as in "*/15 1,2 * * *" (line 2, column 7)'),
        ("a: {b: 5, c: */5 1,2 * * *, d: 5}", 'as in "*/5 1,2 * * *" (line 1, column 14)'),
        ("a: [*/5 * * * *]", 'as in "*/5 * * * *" (line 1, column 5)'),
        ("- */5 * * * *", 'as in "*/5 * * * *" (line 1, column 3)'),
        ("cron: @daily", "a value that begins with '@' needs quotes, as in \"@daily\" (line 1, column 7)"),
        ("a: %x", "a value that begins with '%' needs quotes"),
        ("a: `x`", "a value that begins with '`' needs quotes"),
        ("a: |x", "a value that begins with '|' needs quotes"),
        ("a: > x", "a value that begins with '>' needs quotes"),
        ("a: {{ params.x }}", 'a reference needs quotes, as in "{{ params.x }}" (line 1, column 4)'),
        ("a: {b: {{ params.x }}/y, c: d}", 'a reference needs quotes, as in "{{ params.x }}/y" (line 1, column 8)'),
        ("urls: [{{ params.x }}]", 'a reference needs quotes, as in "{{ params.x }}"'),
        ("a: {b: {{ params.x }} says \"no\"}", "a reference needs quotes, as in '{{ params.x }} says \"no\"'"),
        ("a:\n\tb: 1", "a tab cannot indent; use spaces (line 2, column 1)"),
        ("a: x: y", "a text with ': ' in it needs quotes, as in \"x: y\" (line 1, column 4)"),
        ("a: 'it's'", "a ' within single quotes is written twice, as in 'it''s' (line 1, column 7)"),
        ('a: "\\d"', "a backslash in double quotes begins an escape; use single quotes, or write it twice"),
        ("a: !x y", "contains the YAML tag '!x'; only plain values work; quote it if it is text"),
        ("a: *x", "contains a YAML anchor or alias; write the value out, or quote it if it is text"),
        ("1: x", "the name of a field must be text; put it in quotes"),
        ("a: [1, 2", "is not YAML: did not find expected ',' or ']'"),
    ],
)  # fmt: skip
def test_the_message_names_the_remedy_and_the_place(text: str, message: str) -> None:
    assert message in refusal(text)


def test_norway_and_times_are_text() -> None:
    text = "a: no\nb: yes\nc: on\nd: 08:30\ne: 2030-01-31\nf: 0 8 * * 1-5\n"
    assert load_document(text.encode(), "application/yaml") == {
        "a": "no", "b": "yes", "c": "on", "d": "08:30", "e": "2030-01-31", "f": "0 8 * * 1-5",
    }  # fmt: skip


@pytest.mark.parametrize("part", ["{{", "{{ }}", "*", ": ", "'x'", "\t", "[", "'"])
def test_a_long_line_takes_no_time(part: str) -> None:
    text = "a: {{ " + part * (60_000 // len(part))
    began = time.process_time()
    refusal(text)
    assert time.process_time() - began < 1
