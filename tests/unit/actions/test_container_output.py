"""The output of a container as text, and the JSON in its last line."""

from typing import Any

import pytest

from coinrequest.actions.containers.output import TAIL_LIMIT, Output


def output(*chunks: bytes) -> Output:
    found = Output()
    for chunk in chunks:
        found.add(chunk)
    return found


@pytest.mark.parametrize(
    ("line", "document"),
    [
        (
            b'{"zebra": 115792089237316195423570985008687907853, "aa": 1e22}\n\n',
            {"zebra": 115792089237316195423570985008687907853, "aa": 1e22},
        ),
        ('{"text": "a\u2028b\x85c"}\r\n'.encode(), {"text": "a\u2028b\x85c"}),
        (b'{"text": "a\\u0000"}', {"text": "a\x00"}),
        (b"1e400", None),
        (b"NaN", None),
        (b"9" * 5_000, None),
        (b"[" * 250 + b"]" * 250, None),
        (b"[" * 30_000, None),
        (b"{", None),
        (b"", None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_last_line_is_the_document_if_a_result_can_hold_it(line: bytes, document: Any) -> None:
    assert output(b"started\n", line).document == document


def test_any_bytes_are_text() -> None:
    assert output(b"caf\xe9 \x00 \xed\xa0\xbd").text == "caf\ufffd \ufffd \ufffd\ufffd\ufffd"


def test_a_line_whose_beginning_is_gone_is_no_document() -> None:
    assert output(b" " * TAIL_LIMIT, b"1").document is None
    assert output(b" " * TAIL_LIMIT, b"\nx\n1").document == 1
