"""Documents in JSON and YAML are read with the same result, or refused."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.jobtypes.document import MAX_DOCUMENT_BYTES, dump_yaml, load_document
from coinrequest.jobtypes.errors import DocumentInvalid, DocumentTooLarge, MediaTypeUnsupported

JSON = "application/json"
YAML = "application/yaml"

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.from_regex(r"[-+]?[0-9][0-9_:.xoeE+-]{0,8}|0[xo][0-9a-f]{1,4}", fullmatch=True)
    | st.sampled_from(["on", "no", "null", "~", "", "2026-01-01", ".inf", "=", "<<", "1:30", "- a", "a: b", "a\nb"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "content_type",
    ["application/yaml", "text/yaml", "application/x-yaml", "Text/YAML; charset=UTF-8", 'text/yaml;charset="utf-8"'],
)
def test_yaml_and_json_give_the_same_document(content_type):
    text = 'on: [success]\nwhen: 2026-01-01\ncountry: no\ntimeout: 1:30\nn: 010\nx: 0x1F\nf: 1e3\nnothing:\nq: "5"\n'
    assert load_document(text.encode(), content_type) == {
        "on": ["success"],
        "when": "2026-01-01",
        "country": "no",
        "timeout": "1:30",
        "n": 10,
        "x": 31,
        "f": 1000.0,
        "nothing": None,
        "q": "5",
    }


def test_json_is_the_default_and_may_have_a_byte_order_mark():
    assert load_document(b'\xef\xbb\xbf{"a": 1}', None) == {"a": 1}
    assert load_document('{"a": "é"}'.encode("latin-1"), "application/json; charset=iso-8859-1") == {"a": "é"}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "", "json", "application/json; charset=zlib", "*/*"]
)
def test_other_content_types(content_type):
    if content_type:
        with pytest.raises(MediaTypeUnsupported):
            load_document(b"{}", content_type)
    else:
        assert load_document(b"{}", content_type) == {}


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"", JSON, "is empty; send an object with fields, at least {}"),
        (b"{", JSON, "line 1, column 2"),
        (b"[]", JSON, "one object"),
        (b'"a"', JSON, "one object"),
        (b'{"a": 1, "a": 2}', JSON, "has the field 'a' twice"),
        (b'{"a": {"b": 1, "b": 2}}', JSON, "has the field 'b' twice"),
        (b'{"a": NaN}', JSON, "NaN"),
        (b'{"a": -Infinity}', JSON, "Infinity"),
        (b'{"a": 1e999}', JSON, "finite"),
        (b'{"a": ' + b"9" * 5000 + b"}", JSON, "too many digits"),
        (b'{"a": "\\u0000"}', JSON, "NUL"),
        (b'{"\\u0000": 1}', JSON, "NUL"),
        (b'{"a": "\\ud800"}', JSON, "surrogate"),
        (b'{"a": "\xff"}', JSON, "is not text in UTF-8"),
        (b'{"a": ' + b"[" * 51 + b"]" * 51 + b"}", JSON, "nested too deep"),
        (b"[" * 60000, JSON, "nested too deep"),
        (b" \n", YAML, "is empty"),
        (b"a: [", YAML, "is not YAML"),
        (b"a: b: c", YAML, "line 1"),
        (b"- a", YAML, "one object"),
        (b"a: 1\na: 2", YAML, "twice in one object (line 2, column 1)"),
        (b"1: a", YAML, "must be text; put it in quotes"),
        (b"true: a", YAML, "must be text"),
        (b"? [a]\n: b", YAML, "must be text"),
        (b"a: .nan", YAML, "not a number in JSON"),
        (b"a: -.inf", YAML, "not a number in JSON"),
        (b"a: &x [1]\nb: *x", YAML, "anchor or alias"),
        (b"a: &a [x]\nb: &b [*a, *a]", YAML, "anchor or alias"),
        (
            b"a: &a {b: 1}\nc:\n  <<: *a\n  <<: *a",
            YAML,
            "anchor or alias; write the value out, or quote it if it is text (line 1, column 4)",
        ),
        (
            b"c:\n  <<: {b: 1}\n  <<: {d: 2}",
            YAML,
            "a YAML merge (<<); write its fields out, or quote it if it is text (line 2, column 3)",
        ),
        (b"a: !!python/object/apply:os.system [id]", YAML, "YAML tag"),
        (b"a: !!binary aGk=", YAML, "YAML tag"),
        (b"a: !env HOME", YAML, "YAML tag"),
        (b"a: 1\n---\na: 2", YAML, "several documents"),
        (b"a: " + b"[" * 51 + b"]" * 51, YAML, "nested too deep"),
        (b"[" * 60000, YAML, "nested too deep"),
        (b"a: \x01", YAML, "is not YAML"),
        (b"a: " + b"9" * 5000, YAML, "not a number"),
    ],
)
def test_what_is_refused(body, content_type, message):
    with pytest.raises(DocumentInvalid) as caught:
        load_document(body, content_type)
    assert message in str(caught.value)


@pytest.mark.parametrize("content_type", [JSON, YAML])
def test_the_limit_is_64_kib(content_type):
    body = json.dumps({"a": ""}).encode()
    body = body.replace(b'""', b'"' + b"x" * (MAX_DOCUMENT_BYTES - len(body)) + b'"')
    assert len(body) == MAX_DOCUMENT_BYTES
    assert load_document(body, content_type)
    with pytest.raises(DocumentTooLarge, match=r"65,537 bytes long; the limit is 65,536 bytes \(64 KiB\)") as caught:
        load_document(body + b" ", content_type)
    assert caught.value.limit == MAX_DOCUMENT_BYTES


@pytest.mark.parametrize("letter", ["я", "中", "😀", '"', "\\", "/"])
def test_escapes_count_as_their_characters(letter):
    size = len(json.dumps(letter, ensure_ascii=False).encode()) - 2
    count = (MAX_DOCUMENT_BYTES - 9) // size
    body = json.dumps({"a": letter * count}).encode()
    assert load_document(body, JSON) == {"a": letter * count}
    with pytest.raises(DocumentTooLarge, match="the limit is 65,536 bytes"):
        load_document(json.dumps({"a": letter * (count + 9)}).encode(), JSON)


def test_what_only_looks_like_an_escape_counts_in_full():
    with pytest.raises(DocumentTooLarge, match="the document is 63,009 bytes long"):
        load_document(b'{"a": "' + rb"\\u0416" * 9_000 + b'"}', JSON, 60_000)


def test_written_yaml_keeps_the_order_and_quotes_only_where_needed():
    text = dump_yaml({"z": "30s", "a": ["no", "5", "é"], "body": "one\ntwo\n"})
    assert text == "z: 30s\na:\n- 'no'\n- '5'\n- é\nbody: |\n  one\n  two\n"


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_a_written_document_is_read_back_unchanged(document):
    assert load_document(dump_yaml(document).encode(), YAML, limit=10**6) == document
    assert load_document(json.dumps(document).encode(), JSON, limit=10**6) == document


@given(st.binary() | st.text(alphabet="{}[]:,&*!|>-? \n\"'ab1#%@`").map(str.encode), st.sampled_from([JSON, YAML]))
def test_no_bytes_break_the_reader(body, content_type):
    with suppress(DocumentInvalid):
        assert isinstance(load_document(body, content_type), dict)
