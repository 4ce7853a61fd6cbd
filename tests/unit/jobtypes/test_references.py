"""References are found, checked and resolved; nothing else is allowed in braces."""

import pickle
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.jobtypes.references import (
    JOB_FIELDS,
    Reference,
    ReferenceInvalid,
    ReferenceUnresolved,
    Scope,
    find_references,
    literal,
    resolve,
    scan,
    split,
)

SCOPE = Scope(
    params={"coin": "BTC", "n": 3, "flag": True, "none": None, "list": [1, 2], "deep": {"a": [{"b": "c"}]}},
    outputs={"prices": [{"rate": "50000.10"}, {"rate": "1"}]},
    item={"url": "https://example.org"},
    job={"id": "job-1", "type": "report", "run_after": "2026-01-01T00:00:00+00:00"},
)

SEGMENTS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,10}", fullmatch=True)
PATHS = st.lists(SEGMENTS, max_size=4).map(tuple)
REFERENCES = st.one_of(
    st.builds(Reference, st.sampled_from(["params", "item"]), st.none(), PATHS),
    st.builds(Reference, st.just("tasks"), SEGMENTS, PATHS),
    st.builds(Reference, st.just("job"), st.none(), st.sampled_from(JOB_FIELDS).map(lambda name: (name,))),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ params.coin }}", "BTC"),
        ("{{params.n}}", 3),
        ("{{ params.flag }}", True),
        ("{{ params.none }}", None),
        ("{{ params.list }}", [1, 2]),
        ("{{ params.list.1 }}", 2),
        ("{{ params.deep.a.0.b }}", "c"),
        ("{{ tasks.prices.output }}", [{"rate": "50000.10"}, {"rate": "1"}]),
        ("{{ tasks.prices.output.0.rate }}", "50000.10"),
        ("{{ item }}", {"url": "https://example.org"}),
        ("{{ item.url }}", "https://example.org"),
        ("{{ job.id }}", "job-1"),
        ("BTC {{ tasks.prices.output.0.rate }}!", "BTC 50000.10!"),
        ("{{ params.n }}{{ params.n }}", "33"),
        (" {{ params.n }}", " 3"),
        ("{{ params.flag }} {{ params.none }}", "true null"),
        ("list: {{ params.list }}", "list: [1, 2]"),
        ('{"a": {"n": {{ params.n }}}}', '{"a": {"n": 3}}'),
        ("no reference }} { { here", "no reference }} { { here"),
        ("", ""),
    ],
)
def test_resolve(text, value):
    assert resolve(text, SCOPE) == value


def test_resolve_works_at_any_depth_and_changes_nothing():
    value = {"a": ["{{ params.n }}", {"b": "{{ params.coin }}-{{ params.n }}"}], "c": 1}
    assert resolve(value, SCOPE) == {"a": [3, {"b": "BTC-3"}], "c": 1}
    assert value["a"][0] == "{{ params.n }}"


def test_the_value_of_a_reference_is_not_searched_for_references():
    scope = Scope(params={"text": "{{ params.secret }}", "secret": "x"})
    assert resolve("{{ params.text }}", scope) == "{{ params.secret }}"
    assert resolve("a {{ params.text }}", scope) == "a {{ params.secret }}"


def test_a_decimal_in_a_text_keeps_its_digits():
    assert resolve("= {{ params.x }}", Scope(params={"x": Decimal("1.10")})) == "= 1.10"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ params.con }}", "params has no field 'con' (it has coin, n, "),
        ("{{ params.list.2 }}", "params.list is a list of 2, counted from 0; it has no '2'"),
        ("{{ params.list.first }}", "it has no 'first'"),
        ("{{ params.coin.0 }}", "params.coin is a single value (str) and has no '0'"),
        ("{{ params.none.x }}", "single value (null)"),
        ("{{ tasks.mail.output }}", "tasks.mail has no output here (outputs: prices)"),
    ],
)
def test_the_error_of_an_unresolved_reference_names_what_exists(text, message):
    with pytest.raises(ReferenceUnresolved) as caught:
        resolve({"deep": [text]}, SCOPE)
    assert message in str(caught.value)
    assert text.strip("{} ") in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - made here


def test_there_is_no_item_without_for_each():
    with pytest.raises(ReferenceUnresolved, match="only in a task with for_each"):
        resolve("{{ item }}", Scope())
    assert resolve("{{ item }}", Scope(item=None)) is None


@pytest.mark.parametrize(
    "text", ["{{ conn.x }}", "{{ params.x | upper }}", "{% raw %}", "{{ params.x", "{{ __class__ }}"]
)
def test_resolve_refuses_what_is_not_a_reference(text):
    with pytest.raises(ReferenceInvalid):
        resolve(text, SCOPE)


def test_an_unknown_root_gets_a_suggestion():
    with pytest.raises(ReferenceInvalid, match="did you mean 'params'"):
        Reference.parse("param.x")


def test_references_are_listed_once_and_in_order():
    value = {"b": "{{ tasks.a.output }} {{ params.x }}", "a": ["{{ params.x }}", "{{ item.y }}", "{{ conn.z }}"]}
    assert [str(reference) for reference in find_references(value)] == ["tasks.a.output", "params.x", "item.y"]


@given(REFERENCES, st.text(" \t\n", max_size=3))
def test_a_written_reference_is_read_back(reference, space):
    assert Reference.parse(f"{space}{reference}{space}") == reference
    assert find_references(f"{{{{{space}{reference}{space}}}}}") == (reference,)


@given(st.lists(REFERENCES | st.text(alphabet=st.characters(exclude_characters="{}")), max_size=6))
def test_a_text_is_split_into_its_parts(parts):
    text = "".join(part if isinstance(part, str) else f"{{{{ {part} }}}}" for part in parts)
    references = [part for part in parts if isinstance(part, Reference)]
    assert [part for part in split(text) if isinstance(part, Reference)] == references
    plain = "".join(part for part in parts if isinstance(part, str))
    assert "".join(part for part in split(text) if isinstance(part, str)) == plain


@given(st.text(alphabet="{}% ab.tasksprmoutput0[]'|-") | st.text())
def test_no_text_breaks_the_search(text):
    list(scan({"a": [text], text: 1}))
    with suppress(ReferenceInvalid, ReferenceUnresolved):
        resolve(text, SCOPE)


@given(JSON)
def test_a_whole_reference_keeps_its_value(value):
    assert resolve("{{ params.x }}", Scope(params={"x": value})) == value


@given(JSON)
def test_a_value_without_references_is_unchanged(value):
    if not list(scan(value)):
        assert resolve(value, Scope()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{{ "{{" }}', "{{"),
        ("{{'{{'}}", "{{"),
        ('Hello {{ "{{" }} name }}', "Hello {{ name }}"),
        ('{{ "{{" }} {{ params.x }} {{ "}}" }}', "{{ 5 }}"),
        ('{{ "{%" }} if x %}', "{% if x %}"),
        ('{{ "{{" }}{{ "{{" }}', "{{{{"),
    ],
)
def test_braces_can_be_written_as_a_literal(text: str, value: str) -> None:
    assert resolve(text, Scope(params={"x": 5})) == value
    assert [found for found in scan(text) if found.reference is None] == []


@pytest.mark.parametrize("text", ['{{ "x" }}', '{{ "{{ }}', "{{ {{ }}", '{{ "{{" }} {% if %}', '{{ "{{" | upper }}'])
def test_no_other_literal_is_a_reference(text: str) -> None:
    assert [found for found in scan(text) if found.reference is None]


@given(st.text(alphabet="{}%\"' ax.\n") | st.text())
def test_any_text_can_be_written_as_a_literal(text: str) -> None:
    assert resolve(literal(text), Scope()) == text
    assert find_references(literal(text)) == ()


def test_an_input_with_literal_braces_is_checked_when_it_is_registered() -> None:
    from coinrequest.jobtypes.definition import parse_definition
    from coinrequest.jobtypes.errors import DefinitionInvalid

    def definition(**inputs: object) -> dict[str, object]:
        return {"name": "braces", "tasks": [{"id": "send", "action": "http.request", "inputs": inputs}]}

    braces = literal("{{ name }}")
    parse_definition(definition(url="https://example.org/", method="POST", body=braces))
    with pytest.raises(DefinitionInvalid, match=r"tasks\[0\]\.inputs\.method: must be "):
        parse_definition(definition(url="https://example.org/", method=braces))
    with pytest.raises(DefinitionInvalid, match="must be a list, or a single reference"):
        parse_definition({"name": "braces", "tasks": [{"id": "a", "action": "integer.wait", "for_each": braces}]})


@pytest.mark.parametrize("text", ["tasks.a.state", "tasks.a.error"])
def test_a_task_has_a_state_and_an_error(text: str) -> None:
    scope = Scope(endings={"a": {"state": "failed", "error": "no answer"}})
    assert str(Reference.parse(text)) == text
    assert resolve(f"{{{{ {text} }}}}", scope) == ("failed" if text.endswith("state") else "no answer")


@pytest.mark.parametrize("text", ["tasks.a", "tasks.a.stat", "tasks.a.state.x", "tasks.a.error.0"])
def test_a_task_has_nothing_else(text: str) -> None:
    with pytest.raises(ReferenceInvalid, match="only an output, a state and an error"):
        Reference.parse(text)
