"""Parameters of statements: what is one, what is none, and what the driver gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.actions.sql.placeholders import (
    MYSQL,
    OTHER,
    POSTGRES,
    SQLITE,
    STYLES,
    StatementInvalid,
    Syntax,
    rewrite,
)

# Each is one piece that holds no parameter, whatever stands in it.
POSTGRES_OPAQUE = [
    "'it''s :x'",
    "'back\\'",
    "E'back\\' :x'",
    "e'\\\\'",
    'U&":x"',
    '"a "":x"" b"',
    "$$ :x ' $$",
    "$tag$ $$ :x $other$ $tag$",
    "-- :x ' \n",
    "/* :x /* ' */ :x */",
    "::date",
    "a[1:x]",
    "a[low:high]",
    "x := 1",
    "100%",
    "'%s'",
    "name$1$:x",
    "ünïcode:x",
]
MYSQL_OPAQUE = ["'it\\'s :x'", '"a\\" :x"', "`:x`", "# :x '\n", "-- :x '\n", "/* :x /* */"]
SQLITE_OPAQUE = ["'back\\'", "[:x ']", "`:x`", '":x"', "-- :x\n", "/* :x /* */"]
PIECES = [(POSTGRES, piece) for piece in POSTGRES_OPAQUE]
PIECES += [(MYSQL, piece) for piece in MYSQL_OPAQUE] + [(SQLITE, piece) for piece in SQLITE_OPAQUE]


@pytest.mark.parametrize(("syntax", "piece"), PIECES)
def test_quotes_and_comments_contain_no_parameters(syntax: Syntax, piece: str) -> None:
    found = rewrite(f"SELECT {piece} , :real", {"real"}, syntax, "qmark")
    assert found.text == f"SELECT {piece} , ?"
    assert found.names == ("real",)


@given(st.lists(st.sampled_from(POSTGRES_OPAQUE) | st.just(":p") | st.just("(:p)::int"), max_size=12))
def test_pieces_in_any_order_keep_their_meaning(pieces: list[str]) -> None:
    sql = " ".join(pieces)
    count = sum(":p" in piece for piece in pieces)
    found = rewrite(sql, {"p"} if count else set(), POSTGRES, "qmark")
    assert found.names == ("p",) * count
    assert found.text == " ".join(piece.replace(":p", "?") for piece in pieces)


@given(
    st.text(alphabet="aEe$'\"`:-#/*\\%\n [](){};?_1ü", max_size=40), st.sampled_from([POSTGRES, MYSQL, SQLITE, OTHER])
)
def test_any_text_is_rewritten_or_refused_and_the_rest_is_kept(sql: str, syntax: Syntax) -> None:
    names: set[str] = set()
    while True:
        try:
            found = rewrite(sql, names, syntax, "pyformat")
            break
        except StatementInvalid as error:
            text = str(error)
            if "parameters has no" not in text:
                return
            names.add(text.rsplit("'", 2)[1])
    if not found.names:
        assert found.text == sql
        return
    # What the driver does with it: each placeholder once, each %% one percent sign.
    assert found.text % {name: f":{name}" for name in found.names} == sql


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("pyformat", "SELECT %(a)s, %(b)s, %(a)s, '100%%'"),
        ("format", "SELECT %s, %s, %s, '100%%'"),
        ("named", "SELECT :a, :b, :a, '100%'"),
        ("qmark", "SELECT ?, ?, ?, '100%'"),
        ("numeric", "SELECT :1, :2, :3, '100%'"),
    ],
)
def test_each_style_of_a_driver(style: str, text: str) -> None:
    assert style in STYLES
    found = rewrite("SELECT :a, :b, :a, '100%'", {"a", "b"}, POSTGRES, style)
    assert (found.text, found.names) == (text, ("a", "b", "a"))


def test_a_statement_without_parameters_is_unchanged() -> None:
    assert rewrite("SELECT 7 % 4, '%(x)s'", set(), POSTGRES, "pyformat").text == "SELECT 7 % 4, '%(x)s'"


@pytest.mark.parametrize(
    ("sql", "given", "message"),
    [
        ("SELECT :a", set(), "the statement has :a, but parameters has no 'a'"),
        ("SELECT 1", {"a"}, "parameters has 'a', but the statement has no :a"),
        ("SELECT 'a", set(), "the quote ' at character 8 is never closed"),
        ('SELECT "a', set(), 'the quote " at character 8'),
        ("SELECT /* /* */ 1", set(), "the comment at character 8 is never closed"),
    ],
)
def test_mismatched_parameters_are_refused(sql: str, given: set[str], message: str) -> None:
    with pytest.raises(StatementInvalid) as caught:
        rewrite(sql, given, POSTGRES, "pyformat")
    assert message in str(caught.value)


def test_ambiguous_backslashes_are_refused_for_unknown_databases() -> None:
    with pytest.raises(StatementInvalid, match="backslash"):
        rewrite("SELECT 'it\\' :a", {"a"}, OTHER, "pyformat")
    assert rewrite("SELECT 'a\\b'", set(), OTHER, "pyformat").text == "SELECT 'a\\b'"
