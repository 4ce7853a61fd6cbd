"""Revisions have a number that is unique, and a version that counts within their type."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from support.api_environment import definition as small

TYPES = "/jobs/v1/job-types"


@pytest.fixture
def numbers(op: TestClient, name: str) -> list[int]:
    """The numbers of three revisions of a type, among those of another."""
    found = []
    for description in ("one", "two", "three"):
        op.put(f"{TYPES}/{name}-other", json=small(f"{name}-other", description=description))
        answer = op.put(f"{TYPES}/{name}", json=small(name, description=description))
        found.append(int(answer.json()["revision"]))
    return found


def test_revisions_are_counted_within_their_type(op: TestClient, name: str, numbers: list[int]) -> None:
    listed = op.get(f"{TYPES}/{name}/revisions").json()["revisions"]
    assert [(entry["version"], entry["number"]) for entry in listed] == [
        (3, numbers[2]),
        (2, numbers[1]),
        (1, numbers[0]),
    ]
    page = op.get(f"{TYPES}/{name}/revisions?limit=1").json()
    rest = op.get(f"{TYPES}/{name}/revisions?cursor={page['next_cursor']}").json()["revisions"]
    assert [entry["version"] for entry in rest] == [2, 1]


def test_one_revision_is_read_by_either(op: TestClient, name: str, numbers: list[int]) -> None:
    by_version = op.get(f"{TYPES}/{name}/revisions/v2").json()
    assert (by_version["number"], by_version["version"]) == (numbers[1], 2)
    assert op.get(f"{TYPES}/{name}/revisions/{numbers[1]}").json() == by_version
    missing = op.get(f"{TYPES}/{name}/revisions/v4")
    assert missing.status_code == 404
    assert missing.json()["detail"] == f"{name!r} has no version 4; the latest is revision {numbers[2]}, version 3"
    wrong = op.get(f"{TYPES}/{name}/revisions/x2")
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "number"


def test_the_last_two_are_compared_by_default(op: TestClient, name: str, numbers: list[int]) -> None:
    found = op.get(f"{TYPES}/{name}/diff").json()
    assert (found["from_version"], found["to_version"]) == (2, 3)
    assert (found["from_revision"], found["to_revision"]) == (numbers[1], numbers[2])
    assert "-description: two\n+description: three" in found["diff"]
    assert f"--- {name} version 2 (revision {numbers[1]})" in found["diff"]


@pytest.mark.parametrize("query", ["from=1&to=2", "from=v1&to=v2", "from={0}&to={1}", "to=2", "to=v2", "to={1}"])
def test_two_are_compared_by_either(op: TestClient, name: str, numbers: list[int], query: str) -> None:
    if numbers[0] <= 3:
        pytest.skip("the first revisions of an installation: their numbers are versions too")
    found = op.get(f"{TYPES}/{name}/diff?{query.format(*numbers)}")
    assert found.status_code == 200, found.text
    assert (found.json()["from_version"], found.json()["to_version"]) == (1, 2)


def test_a_version_is_not_compared_with_a_number(op: TestClient, name: str, numbers: list[int]) -> None:
    answer = op.get(f"{TYPES}/{name}/diff?from=1&to={numbers[2] + 100}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "from"


def test_a_type_with_one_revision_has_nothing_to_compare(op: TestClient, name: str) -> None:
    op.post(TYPES, json=small(name))
    answer = op.get(f"{TYPES}/{name}/diff")
    assert answer.status_code == 404
    assert "nothing to compare" in answer.json()["detail"]
    assert op.get(f"{TYPES}/{name}-gone/diff").status_code == 404


def test_a_type_is_rolled_back_to_a_version(op: TestClient, name: str, numbers: list[int]) -> None:
    back = op.post(f"{TYPES}/{name}/rollback", json={"version": 1})
    assert back.status_code == 200, back.text
    assert back.json()["definition"]["description"] == "one"
    assert op.post(f"{TYPES}/{name}/rollback", json={"version": 9}).status_code == 404


def test_a_rollback_to_an_unknown_revision_names_the_version(op: TestClient, name: str, numbers: list[int]) -> None:
    if numbers[0] <= 3:
        pytest.skip("the first revisions of an installation: their numbers are versions too")
    answer = op.post(f"{TYPES}/{name}/rollback", json={"revision": 2})
    assert answer.status_code == 404
    latest = f"the latest is revision {numbers[2]}, version 3"
    assert answer.json()["detail"] == f"{name!r} has no revision 2; its version 2 is revision {numbers[1]}; {latest}"
    for target in ({"revision": 2}, {"version": 2}):
        unknown = op.post(f"{TYPES}/{name}-gone/rollback", json=target)
        assert unknown.status_code == 404
        assert unknown.json()["detail"].startswith(f"No job type '{name}-gone'")


@pytest.mark.usefixtures("tables_unchanged")
@pytest.mark.parametrize("body", [{}, {"revision": 1, "version": 1}, {"version": "v1"}, {"version": 0}, {"number": 1}])
def test_a_rollback_names_one_revision(op: TestClient, body: Any) -> None:
    answer = op.post(f"{TYPES}/x/rollback", json=body)
    assert answer.status_code == 422, answer.text
