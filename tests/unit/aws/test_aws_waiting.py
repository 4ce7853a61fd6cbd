"""When an installation works, and what a person reads when it does not."""

import io
from collections.abc import Mapping
from dataclasses import replace

import pytest

from aws import groups, waiting
from aws.groups import Group, Refresh
from aws.waiting import Expected
from release import polling
from release.errors import Failed
from release.output import Output

WEB = Group("web", "coinrequest-production-web", 2, 2, 6, 2, 0, {"new": 2}, None)
EXPECTED = Expected({"web": WEB.name}, "https://jobs.example.org/", "/coinrequest-production", frozenset({"before"}))


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is fifteen seconds after the one before."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(polling, "sleep", sleep)
    for module in (polling, waiting):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(waiting, "health_problem", lambda _url: None)
    monkeypatch.setattr(groups, "newest_activity", lambda name: f"the newest of {name}")


def looks(monkeypatch: pytest.MonkeyPatch, *found: Group) -> None:
    """Show one state after the other; the last one stays."""
    states = list(found)

    def read(_names: Mapping[str, str]) -> list[Group]:
        return [states.pop(0) if len(states) > 1 else states[0]]

    monkeypatch.setattr(groups, "read", read)


def test_it_waits_for_replacement_instances_and_answer(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    looks(
        monkeypatch,
        replace(WEB, refresh=Refresh("now", "InProgress", 0)),
        replace(WEB, refresh=Refresh("now", "InProgress", 50)),
        replace(WEB, working=1),
        replace(WEB, outdated=1),
        replace(WEB, refresh=Refresh("now", "Successful", 100)),
    )
    answers = iter(["it answers 503", "it answers 503", None])
    monkeypatch.setattr(waiting, "health_problem", lambda _url: next(answers))
    waiting.wait(Output(stream), EXPECTED, 600)
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        "0 s: web: replacement InProgress 0 %",
        "15 s: web: replacement InProgress 50 %",
        "30 s: web: 1 of 2 instances in service",
        "45 s: web: 1 of the instances are of another version",
        "60 s: it answers 503",
        "https://jobs.example.org/ answers",
    ]


def test_a_replacement_that_was_taken_back_ends_the_wait(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    looks(monkeypatch, replace(WEB, refresh=Refresh("now", "RollbackSuccessful", 100, "too many were unhealthy")))
    with pytest.raises(Failed) as caught:
        waiting.wait(Output(stream), EXPECTED, 600)
    text = str(caught.value)
    assert "the new instances were not healthy" in text
    assert "RollbackSuccessful: too many were unhealthy" in text
    assert "the newest of coinrequest-production-web" in text
    assert "aws logs tail /coinrequest-production/web --since 30m" in text


def test_how_an_earlier_replacement_ended_does_not_matter(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    looks(monkeypatch, replace(WEB, refresh=Refresh("before", "Failed", 10)))
    waiting.wait(Output(stream), EXPECTED, 600)


def test_time_that_is_up_says_what_to_look_at(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    looks(monkeypatch, replace(WEB, working=0, images={}))
    with pytest.raises(Failed, match="not ready after 60 s: web: 0 of 2 instances in service\n  web "):
        waiting.wait(Output(stream), EXPECTED, 60)
    assert stream.getvalue().count("0 of 2") == 1


def test_a_group_that_is_not_there(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    monkeypatch.setattr(groups, "read", lambda _names: [])
    with pytest.raises(Failed, match="web: there is no group"):
        waiting.wait(Output(stream), EXPECTED, 0)


def test_replacements_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    looks(monkeypatch, replace(WEB, refresh=Refresh("before", "Cancelled")))
    assert waiting.known_refreshes({}) == {"before"}
    looks(monkeypatch, replace(WEB, refresh=Refresh("now", "Baking")))
    assert waiting.known_refreshes({}) == frozenset()
