"""Types that run after others: rings, deletions, and what a follower waits for."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small

from coinrequest.jobtypes import registry
from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.errors import DefinitionInvalid

TYPES = "/jobs/v1/job-types"


def following(name: str, *others: str, **fields: Any) -> dict[str, Any]:
    return small(name, schedule={"after": list(others)}, **fields)


def put(op: TestClient, document: dict[str, Any]) -> Any:
    return op.put(f"{TYPES}/{document['name']}", json=document)


def stored(answer: Any) -> Any:
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


@pytest.fixture
def chain(op: TestClient, name: str) -> list[str]:
    """Return three types, each of which runs after the one before."""
    names = [f"{name}.{letter}" for letter in "abc"]
    stored(put(op, small(names[0])))
    for before, after in pairwise(names):
        stored(put(op, following(after, before)))
    return names


def refused_ring(answer: Any, *names: str) -> None:
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "schedule.after[0]"
    assert " → ".join(names) in error["message"]


def test_a_ring_is_refused_and_named(op: TestClient, chain: list[str]) -> None:
    first, second, third = chain
    before = op.get(f"{TYPES}/{first}").json()["revision"]
    refused_ring(put(op, following(first, third)), first, third, second, first)
    refused_ring(put(op, following(first, second)), first, second, first)
    assert op.get(f"{TYPES}/{first}").json()["revision"] == before


def test_a_ring_is_refused_by_a_dry_run(op: TestClient, chain: list[str]) -> None:
    first, second, third = chain
    answer = op.post(f"{TYPES}?dry_run=true", json=following(first, third))
    refused_ring(answer, first, third, second, first)


def test_a_ring_is_refused_by_a_rollback(op: TestClient, name: str) -> None:
    first, second = f"{name}.a", f"{name}.b"
    stored(put(op, small(second)))
    followed = stored(put(op, following(first, second)))["revision"]
    stored(put(op, small(first)))
    stored(put(op, following(second, first)))
    answer = op.post(f"{TYPES}/{first}/rollback", json={"revision": followed})
    refused_ring(answer, first, second, first)


def test_a_ring_is_refused_when_a_deleted_type_comes_back(op: TestClient, chain: list[str]) -> None:
    first, _second, third = chain
    assert op.delete(f"{TYPES}/{first}?force=true").status_code == 204
    assert op.post(TYPES, json=following(first, third)).status_code == 422


def test_two_registrations_at_once_do_not_make_a_ring(op: TestClient, name: str) -> None:
    first, second = f"{name}.a", f"{name}.b"
    for one in (first, second):
        stored(put(op, small(one)))
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda pair: put(op, following(*pair)), ((first, second), (second, first))))
    assert sorted(answer.status_code for answer in answers) == [200, 422]


def test_branches_that_meet_again_are_no_ring(op: TestClient, chain: list[str], name: str) -> None:
    stored(put(op, following(f"{name}.d", *chain)))


def test_the_deletion_of_a_followed_type_needs_force(op: TestClient, chain: list[str]) -> None:
    first, second, _third = chain
    refused = op.delete(f"{TYPES}/{first}")
    assert refused.status_code == 409
    assert second in refused.json()["detail"]
    assert "force=true" in refused.json()["detail"]
    assert op.get(f"{TYPES}/{first}").status_code == 200
    assert op.delete(f"{TYPES}/{first}?force=true").status_code == 204
    waits = op.get(f"{TYPES}/{second}").json()["waits_for"]
    assert waits == [{"job_type": first, "deleted": True}]


def test_a_type_that_nobody_follows_any_more_is_deleted_without_force(op: TestClient, chain: list[str]) -> None:
    first, second, third = chain
    assert op.delete(f"{TYPES}/{third}").status_code == 204
    stored(put(op, small(second)))
    assert op.delete(f"{TYPES}/{first}").status_code == 204


def test_a_type_that_comes_back_is_followed_again(op: TestClient, chain: list[str]) -> None:
    from airflow.utils.session import create_session

    first, second, _third = chain
    assert op.delete(f"{TYPES}/{first}?force=true").status_code == 204
    stored(op.post(TYPES, json=small(first)))
    with create_session(scoped=False) as session:
        assert registry.existing(session, [first])[first].announces
    assert op.get(f"{TYPES}/{second}").json()["waits_for"] == [{"job_type": first, "deleted": False}]


def test_an_unknown_type_gets_a_suggestion(op: TestClient, name: str) -> None:
    stored(put(op, small(name)))
    answer = op.post(f"{TYPES}?dry_run=true", json=following(f"{name}-after", f"{name}x"))
    assert [error["message"] for error in answer.json()["errors"]] == [f"no job type '{name}x'; did you mean '{name}'?"]


def test_only_the_closest_types_are_checked_for_a_suggestion(op: TestClient, name: str) -> None:
    from airflow.utils.session import create_session

    from coinrequest.generator import followers

    for number in range(15):
        stored(put(op, small(f"{name}.{number}")))
    wrong, hidden = [f"{name}.x", f"{name}.y"], f"{name}.0"
    asked: list[str] = []

    def readable(other: str) -> bool:
        asked.append(other)
        return other != hidden

    with create_session(scoped=False) as session:
        errors = followers.errors(session, parse_definition(following(f"{name}-after", *wrong)), readable)
    assert all("; did you mean" in error.message and hidden not in error.message for error in errors), errors
    assert len(errors) == 2
    assert len(asked) <= 20


def test_a_deleted_or_hidden_type_gives_way_to_the_next_suggestion(op: TestClient, name: str) -> None:
    from airflow.utils.session import create_session

    from coinrequest.generator import followers

    deleted, hidden, other = (f"{name}-prices{end}" for end in ("", "1", "-2"))
    for one in (deleted, hidden, other):
        stored(put(op, small(one)))
    assert op.delete(f"{TYPES}/{deleted}").status_code == 204
    document = following(f"{name}-after", f"{name}-pricess")
    with create_session(scoped=False) as session:
        errors = followers.errors(session, parse_definition(document), lambda name: name != hidden)
    assert [error.message for error in errors] == [f"no job type '{name}-pricess'; did you mean {other!r}?"]


def test_a_ring_that_another_completes_meanwhile_names_no_hidden_type(
    op: TestClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.utils.session import create_session

    from coinrequest.generator import lifecycle

    first, second, hidden = (f"{name}.{end}" for end in ("a", "b", "hidden"))
    for one in (first, second, hidden):
        stored(put(op, small(one)))
    lock = registry.lock

    def late(session: Any) -> None:
        monkeypatch.setattr(registry, "lock", lock)
        stored(put(op, following(hidden, first)))
        stored(put(op, following(second, hidden)))
        lock(session)

    monkeypatch.setattr(registry, "lock", late)
    document = following(first, second)
    with create_session(scoped=False) as session, pytest.raises(DefinitionInvalid) as raised:
        lifecycle.replace_or_create(session, first, document, author="tester", readable=lambda name: name != hidden)
    (error,) = raised.value.errors
    assert error.message.endswith(f"{first} → {second} → … → {first}")
