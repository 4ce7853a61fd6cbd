"""Names that do not exist in the installation get a suggestion, as misspelt actions do."""

from starlette.testclient import TestClient
from support.api_environment import definition as small

TYPES = "/jobs/v1/job-types?dry_run=true"


def messages(op: TestClient, name: str, **task: str) -> list[str]:
    document = small(name)
    document["tasks"][0] |= task
    return [error["message"] for error in op.post(TYPES, json=document).json()["errors"]]


def test_an_unknown_pool(op: TestClient, name: str) -> None:
    assert messages(op, name, pool="defaultpool") == ["no pool 'defaultpool'; did you mean 'default_pool'?"]
    assert messages(op, name, pool="0123456789") == ["no pool '0123456789'; create it under Admin, Pools"]
