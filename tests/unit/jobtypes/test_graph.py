"""The graph of tasks."""

from hypothesis import given
from hypothesis import strategies as st

from coinrequest.jobtypes.graph import cycles, succeeded_before, upstream
from coinrequest.jobtypes.suggestions import hint, nearest

GRAPHS = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefz"), max_size=3))


def test_upstream_is_transitive():
    before = upstream({"a": [], "b": ["a"], "c": ["b", "nobody"], "d": []})
    assert before == {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": set()}


def test_each_cycle_is_reported_once():
    assert cycles({"a": ["a"], "b": ["c"], "c": ["b"], "d": ["c"], "e": []}) == [["a"], ["b", "c"]]


@given(GRAPHS)
def test_a_cycle_leads_back_to_its_first_task(graph):
    before = upstream(graph)
    found = cycles(graph)
    for cycle in found:
        for task, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert following in graph[task]
    assert bool(found) == any(task in before[task] for task in graph)


def test_the_most_similar_name_is_suggested():
    assert nearest("coin.price", ["coin.prices", "url.test"]) == "coin.prices"
    assert nearest("bash", ["coin.prices", "url.test"]) is None
    assert hint("x", []) == ""
    assert hint("zzz", ["a", "b"]) == "; known: a, b"


def test_what_has_succeeded_before_a_task() -> None:
    edges = {"a": [], "b": ["a"], "report": ["b"], "mail": ["report"], "x": ["gone", "a"]}
    assert succeeded_before(edges, {"report"}) == {
        "a": set(),
        "b": {"a"},
        "report": set(),
        "mail": {"report"},
        "x": {"a"},
    }
