"""Characters that PostgreSQL or UTF-8 cannot hold are replaced, and only those."""

import json

import pytest

from coinrequest.text import REPLACEMENT, is_storable, storable, storable_text

HALF = json.loads(r'"\ud83d"')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a\nb\x01\x7f\u2028", "a\nb\x01\x7f\u2028"),
        ("Жанна 😀 \ufffd", "Жанна 😀 \ufffd"),
        ("a\x00b", "a\ufffdb"),
        (f"é{HALF}", "é\ufffd"),
        (json.loads(r'"\ude00\ud83d"'), "\ufffd\ufffd"),
        (b"caf\xe9".decode(errors="surrogateescape"), "caf\ufffd"),
    ],
)
def test_a_text(text: str, expected: str) -> None:
    assert storable_text(text) == expected
    assert is_storable(text) == (text == expected)
    assert is_storable(expected)


def test_a_pair_of_halves_in_json_is_one_character() -> None:
    assert storable_text(json.loads(r'"\ud83d\ude00"')) == "😀"


def test_data_keeps_its_order_and_everything_else_and_says_where() -> None:
    value = {"b": 10**30, "a": ["x", "\x00\x00", None, {f"k{HALF}": "\x00"}], "ok": ("é", 1.5, True)}
    places: dict[str, int] = {}
    found = storable(value, places)
    assert found == {"b": 10**30, "a": ["x", "\ufffd\ufffd", None, {"k\ufffd": "\ufffd"}], "ok": ["é", 1.5, True]}
    assert list(found) == ["b", "a", "ok"]
    assert places == {"a.1": 2, "a.3.k\ufffd": 2}


def test_two_keys_that_become_one_both_stay() -> None:
    assert storable({"a\x00": 1, f"a{HALF}": 2, "a\ufffd": 3}) == {"a\ufffd": 1, "a\ufffd (2)": 2, "a\ufffd (3)": 3}


def test_thousands_of_keys_that_become_one_take_no_time() -> None:
    halves = [chr(0xD800 + number) for number in range(2048)]
    value = {first + second: 0 for first in halves for second in halves[:16]}
    value = {**{f"{REPLACEMENT * 2} ({number})": 0 for number in range(len(value))}, **value}
    assert len(storable(value)) == len(value)
