from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coinrequest.urltest.json_path import check, find, selects_one

ORDERS = {"orders": [{"id": 7, "city": "Cork"}, {"id": 8, "city": "Köln"}], "next": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [ORDERS]),
        ("$.orders[0].id", [7]),
        ("$.orders[*].id", [7, 8]),
        ("$.orders[-1].city", ["Köln"]),
        ("$..city", ["Cork", "Köln"]),
        ("$.next", [None]),
        ("$['next']", [None]),
        ("$.nothing", []),
        ("$.orders[?@.id > 7].city", ["Köln"]),
        ("$.orders[?match(@.city, 'C.*')].id", [7]),
        ("$.orders[?match(@.city, 'or')].id", []),
        ("$.orders[?search(@.city, 'or')].id", [7]),
        ("$.orders[?search(@.city, '[')].id", []),
        ("$.orders[?search(@.id, '7')].id", []),
        ("$.orders[?length(@.city) == 4].id", [7, 8]),
    ],
)
def test_a_path_selects_values(path: str, found: list[Any]) -> None:
    check(path)
    assert find(path, ORDERS) == found


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("", 0),
        ("orders", 0),
        (" $.orders", 0),
        ("$.orders[", 9),
        ("$.orders[0", 10),
        ("$.orders.~", 9),
        ("$.orders | $.next", 9),
        ("$[?@.id =~ /x/]", 8),
        ("$[?unknown(@)]", 3),
        ("$[?" + "(" * 900, None),
        ("$." + "x" * 1_000, None),
        ("$[?@.id == 1e400]", None),
        ("$[?@.id > -1e999]", None),
        ("$[0:1e400]", None),
    ],
)
def test_invalid_paths_are_refused_with_the_position(path: str, position: int | None) -> None:
    for use in (check, lambda text: find(text, ORDERS)):
        with pytest.raises(ValueError, match="JSONPath") as caught:
            use(path)
        assert position is None or f"position {position}" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "one"),
    [("$", True), ("$.a[0]['b'][-1]", True), ("$.a[*]", False), ("$..a", False), ("$[0, 1]", False), ("$[0:1]", False)],
)
def test_a_path_of_names_and_indexes_selects_one_value(path: str, one: bool) -> None:
    assert selects_one(path) is one


@pytest.mark.parametrize("document", ["text", '{"a": 1}', "[", 5, None, True, []])
def test_a_document_of_one_value_has_only_itself(document: Any) -> None:
    assert find("$", document) == [document]
    assert find("$.a", document) == find("$..a", document) == find("$[0]", document) == []


def test_expressions_do_not_backtrack() -> None:
    assert find("$[?search(@, '(a+)+$')]", ["a" * 100_000 + "b"]) == []


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a.c", "abc", True),
        ("a.c", "a\rc", False),
        (r"a\.c", "abc", False),
        ("a[.]c", "a.c", True),
        (".", "\ud800", False),
    ],
)
def test_a_dot_matches_no_line_break(pattern: str, text: str, matches: bool) -> None:
    quoted = pattern.replace("\\", "\\\\")
    assert find(f"$[?match(@, '{quoted}')]", [text]) == ([text] if matches else [])


def test_too_deep_and_too_many_are_errors() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="cannot be searched by"):
        find("$..a", deep)
    with pytest.raises(ValueError, match="more than 10000 values"):
        find("$[*]", [0] * 20_000)


@given(st.text(max_size=40).map(lambda text: "$" + text), st.recursive(st.none() | st.text(), st.lists))
@example("$\n[", None)
def test_any_text_is_a_path_or_a_clear_error(path: str, document: Any) -> None:
    try:
        check(path)
    except ValueError:
        with pytest.raises(ValueError, match="position"):
            find(path, document)
    else:
        assert isinstance(find(path, document), list)
