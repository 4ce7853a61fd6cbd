"""Rotation: the next value, who reads it when, what happens when somebody interrupts it."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.fake_data_services import NAME, FakeAutoScaling, FakeElastiCache, clients

from aws import replacing, rotate
from aws.redis_token import ONLY_TOKEN
from aws.rotate import Clients
from release.errors import Failed, Refused
from release.output import Output

ROLES = ("web", "scheduler", "triggerer", "agent", "gateway")
OLD = "0ld" * 20


@pytest.fixture
def groups(cloud: None) -> FakeAutoScaling:
    return FakeAutoScaling(*ROLES)


@pytest.fixture
def elasticache() -> FakeElastiCache:
    fake = FakeElastiCache()
    fake.tokens = [OLD]
    return fake


@pytest.fixture
def aws(groups: FakeAutoScaling, elasticache: FakeElastiCache) -> Clients:
    made = clients(groups, elasticache)
    for which in rotate.KINDS:
        made.secrets.create_secret(Name=f"{NAME}/{which}", SecretString=OLD)
    return made


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def run(aws: Clients, which: str, stream: io.StringIO, dry_run: bool = False) -> None:
    rotate.rotate(aws, NAME, which, Output(stream), dry_run=dry_run, interval=0)
    for value in values(aws, which):
        assert value not in stream.getvalue()


def current(aws: Clients, which: str) -> str:
    answer = aws.secrets.get_secret_value(SecretId=f"{NAME}/{which}", VersionStage="AWSCURRENT")
    return str(answer["SecretString"])


def labels(aws: Clients, which: str) -> dict[str, str]:
    versions = aws.secrets.list_secret_version_ids(SecretId=f"{NAME}/{which}")["Versions"]
    return {label: one["VersionId"] for one in versions for label in one["VersionStages"]}


def values(aws: Clients, which: str) -> list[str]:
    ids = set(labels(aws, which).values())
    return [aws.secrets.get_secret_value(SecretId=f"{NAME}/{which}", VersionId=id)["SecretString"] for id in ids]


# -- secrets that have one value at a time -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "roles"),
    [
        ("database-owner", ["web", "scheduler", "triggerer", "gateway"]),
        ("database-reader", ["web", "scheduler", "triggerer", "gateway", "agent"]),
        ("jwt-secret", ["web", "scheduler"]),
        ("api-secret-key", ["web"]),
        ("people", ["scheduler"]),
    ],
)
def test_instances_that_read_a_secret_start_after_its_new_value(
    aws: Clients, groups: FakeAutoScaling, stream: io.StringIO, which: str, roles: Sequence[str]
) -> None:
    seen: list[str] = []
    groups.seen = lambda _role: seen.append(current(aws, which))
    run(aws, which, stream)
    assert groups.started == roles
    assert len(set(seen)) == 1
    assert seen[0] == current(aws, which) != OLD
    assert set(labels(aws, which)) == {"AWSCURRENT", "AWSPREVIOUS", "FIRST"}
    assert "Meanwhile" in stream.getvalue()


def test_the_version_that_terraform_made_stays(aws: Clients, stream: io.StringIO) -> None:
    first = labels(aws, "jwt-secret")["AWSCURRENT"]
    for _ in range(3):
        run(aws, "jwt-secret", stream)
    assert labels(aws, "jwt-secret")["FIRST"] == first
    assert aws.secrets.get_secret_value(SecretId=f"{NAME}/jwt-secret", VersionId=first)["SecretString"] == OLD


def test_values_are_what_their_readers_want(aws: Clients, stream: io.StringIO) -> None:
    assert len(base64.urlsafe_b64decode(rotate.fernet_key())) == 32
    assert len(rotate.signing_key()) >= 64
    assert 16 <= len(rotate.password()) <= 128
    assert rotate.password().isalnum()
    passwords = json.loads(rotate.people())
    assert set(passwords) == {"admin", "op", "user", "viewer"}
    assert len(set(passwords.values())) == 4


def test_web_alone_does_what_the_scheduler_would(cloud: None, stream: io.StringIO) -> None:
    groups = FakeAutoScaling("web")
    aws = clients(groups)
    aws.secrets.create_secret(Name=f"{NAME}/people", SecretString=OLD)
    run(aws, "people", stream)
    assert groups.started == ["web"]


# -- Redis -----------------------------------------------------------------------------------------------------


def test_redis_takes_both_tokens_while_instances_are_replaced(
    aws: Clients, groups: FakeAutoScaling, elasticache: FakeElastiCache, stream: io.StringIO
) -> None:
    seen: list[list[str | None]] = []
    groups.seen = lambda _role: seen.append([*elasticache.tokens, current(aws, "redis")])
    run(aws, "redis", stream)
    new = current(aws, "redis")
    assert groups.started == ["web", "scheduler", "agent", "gateway"]
    assert seen == [[OLD, new, new]] * 4
    assert elasticache.tokens == [new]
    found = labels(aws, "redis")
    assert found[ONLY_TOKEN] == found["AWSCURRENT"]


# -- the key of connections and variables ------------------------------------------------------------------------


def test_both_fernet_keys_are_there_until_everything_is_encrypted_anew(
    aws: Clients, groups: FakeAutoScaling, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    groups.seen = lambda role: seen.append(f"{role} {current(aws, 'fernet-key')}")

    def run_command(_ssm: Any, instance: str, command: str, _interval: float) -> None:
        seen.append(f"{instance} {command}")

    monkeypatch.setattr(replacing, "run_command", run_command)
    run(aws, "fernet-key", stream)
    new = current(aws, "fernet-key")
    roles = ("web", "scheduler", "triggerer", "gateway")
    assert seen == [
        *(f"{role} {new},{OLD}" for role in roles),
        "i-working docker exec coinrequest-scheduler run-process airflow rotate-fernet-key",
        *(f"{role} {new}" for role in roles),
    ]


def test_a_command_on_an_instance_succeeds_or_says_what_it_wrote(aws: Clients) -> None:
    replacing.run_command(aws.ssm, "i-1234567890abcdef0", "true", 0)

    class Broken:
        exceptions = aws.ssm.exceptions

        def send_command(self, **_request: Any) -> dict[str, Any]:
            return {"Command": {"CommandId": "1"}}

        def get_command_invocation(self, **_request: Any) -> dict[str, Any]:
            return {"Status": "Failed", "StandardErrorContent": "InvalidToken"}

    with pytest.raises(Failed, match="`false` on i-1: Failed InvalidToken"):
        replacing.run_command(Broken(), "i-1", "false", 0)


# -- interruptions -------------------------------------------------------------------------------------------


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.mark.parametrize("at", range(1, 5))
def test_an_interrupted_rotation_goes_on_and_begins_nothing_twice(
    aws: Clients, groups: FakeAutoScaling, elasticache: FakeElastiCache, stream: io.StringIO, at: int
) -> None:
    def interrupt(_role: str) -> None:
        if len(groups.started) == at:
            raise Interrupted

    groups.seen = interrupt
    with pytest.raises(Interrupted):
        run(aws, "redis", stream)
    groups.seen = lambda _role: None
    new = current(aws, "redis")
    run(aws, "redis", stream)
    assert "continues it" in stream.getvalue()
    assert current(aws, "redis") == new
    assert elasticache.calls == [("ROTATE", new), ("SET", new)]
    # The one that was just begun was not noted yet: it is waited for, and begun again.
    assert len(groups.started) == 5
    assert set(labels(aws, "redis")) == {"AWSCURRENT", "AWSPREVIOUS", "FIRST", ONLY_TOKEN}


def test_new_instances_that_do_not_work_end_it_and_are_tried_again(
    aws: Clients, groups: FakeAutoScaling, elasticache: FakeElastiCache, stream: io.StringIO
) -> None:
    groups.outcome["agent"] = "Failed"
    with pytest.raises(Failed, match="agent: Failed"):
        run(aws, "redis", stream)
    assert len(elasticache.tokens) == 2, "the old token works as long as an old instance has it"
    groups.outcome.clear()
    run(aws, "redis", stream)
    assert groups.started == ["web", "scheduler", "agent", "gateway", "agent"]
    assert elasticache.tokens == [current(aws, "redis")]


def test_another_replacement_is_waited_for(aws: Clients, groups: FakeAutoScaling, stream: io.StringIO) -> None:
    groups.begin("web", "a-rollout")
    run(aws, "api-secret-key", stream)
    assert groups.started == ["web"]


# -- before anything changes ---------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing(aws: Clients, groups: FakeAutoScaling, stream: io.StringIO) -> None:
    run(aws, "fernet-key", stream, dry_run=True)
    assert current(aws, "fernet-key") == OLD
    assert set(labels(aws, "fernet-key")) == {"AWSCURRENT"}
    assert groups.started == []
    assert stream.getvalue().count("would do: ") == 5


@pytest.mark.parametrize(("which", "text"), [("nothing", "There are: database-owner"), ("master", "RDS itself")])
def test_what_cannot_be_rotated_is_refused(aws: Clients, stream: io.StringIO, which: str, text: str) -> None:
    with pytest.raises(Refused, match=text):
        rotate.rotate(aws, NAME, which, Output(stream), interval=0)


def test_an_installation_that_is_not_there_is_refused(cloud: None, stream: io.StringIO) -> None:
    with pytest.raises(Refused, match="apply it first"):
        rotate.rotate(clients(FakeAutoScaling()), NAME, "people", Output(stream), interval=0)


def test_what_aws_refuses_is_told(groups: FakeAutoScaling, aws: Clients, stream: io.StringIO) -> None:
    class Forbidden:
        def describe_auto_scaling_groups(self, **_request: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "DescribeAutoScalingGroups")

    with pytest.raises(Failed, match=r"AWS refused: .*not you.*continues from here"):
        rotate.rotate(replace(aws, autoscaling=Forbidden()), NAME, "people", Output(stream), interval=0)
