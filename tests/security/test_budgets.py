"""The check of any input takes at most a second of processor time and 50 MiB."""

from typing import Any

import pytest
from support.budget_corpus import DEFINITIONS, DOCUMENTS, PARAMS
from support.measured import Checker

pytestmark = pytest.mark.security

JSON = "application/json"
YAML = "application/yaml"


@pytest.mark.parametrize("case", DEFINITIONS)
def test_a_definition_has_a_budget(checks: Checker, case: str) -> None:
    text = DEFINITIONS[case]
    assert len(text.encode()) <= 72 * 1024, "it would be refused by its size alone"
    cost = checks.cost("definition", text, JSON)
    assert cost.within, cost
    assert not cost.fault, cost


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_has_a_budget(checks: Checker, case: str) -> None:
    cost = checks.cost("definition", DOCUMENTS[case], YAML)
    assert cost.within, cost
    assert not cost.fault, cost


@pytest.mark.parametrize("case", PARAMS)
def test_params_have_a_budget(checks: Checker, case: str) -> None:
    cost = checks.cost("params", *PARAMS[case])
    assert cost.within, cost
    assert not cost.fault, cost


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": [n * 7 % 100 for n in range(20_000)]}, {"a": [n * 11 % 100 for n in range(20_000)]}),
        ({"a": [x for n in range(5_000) for x in (n, "u")]}, {"a": [x for n in range(5_000) for x in (n, "v")]}),
        ({"a": list(range(10_000))}, {"a": list(range(10_000, 0, -1))}),
        ({"a": "x\n" * 30_000}, {"a": "x\ny\n" * 15_000}),
    ],
    ids=["hundred kinds of lines", "every other line", "the other way round", "one line"],
)
def test_a_comparison_of_revisions_has_a_budget(checks: Checker, old: Any, new: Any) -> None:
    cost = checks.cost("diff", old, new)
    assert cost.within, cost
    assert not cost.fault, cost


def deep_document() -> dict[str, Any]:
    document: dict[str, Any] = {}
    inner = document
    for _ in range(60):
        inner |= {"child": {}, "list": [{"x": number} for number in range(150)]}
        inner = inner["child"]
    return document


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("$..*..*..nothing", "ValueError: it visits more than 500,000 values"),
        ("$..[?@..[?@..[?@..nothing]]]", "ValueError: it visits more than 500,000 values"),
        ("$..[?count($..*) > 9999999]", 'ValueError: "$..[*]" in a filter'),
        ("$[?count($[*]) > 9999999]", 'ValueError: "$[*]" in a filter'),
        ("$..nothing", "0 found"),
        ("$.list[?@.x == $.list[0].x]", "1 found"),
    ],
)
def test_a_search_by_jsonpath_ends_on_the_agent(checks: Checker, path: str, outcome: str) -> None:
    cost = checks.cost("search", path, deep_document())
    assert cost.outcome.replace("'", '"').startswith(outcome), cost
    assert cost.cpu < 10, cost
