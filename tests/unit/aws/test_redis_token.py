"""The first token of Redis: read from Secrets Manager, set once in two steps, and never shown."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.fake_data_services import NAME, REGION, FakeElastiCache, client

from aws import redis_token
from aws.redis_token import ONLY_TOKEN, ReplicationGroup, set_first_token
from release import polling
from release.errors import Failed

TOKEN = "c0ffee" * 8
SECRET = f"{NAME}/redis"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def secrets(cloud: None) -> Any:
    made = client("secretsmanager")
    made.create_secret(Name=SECRET, SecretString=TOKEN)
    return made


@pytest.fixture
def elasticache() -> FakeElastiCache:
    return FakeElastiCache()


def set_it(elasticache: Any, secrets: Any) -> list[str]:
    lines: list[str] = []
    set_first_token(ReplicationGroup(elasticache, NAME, interval=0), secrets, SECRET, lines.append)
    assert TOKEN not in "".join(lines)
    return lines


def test_a_group_without_a_token_gets_the_one_of_the_secret_and_asks_for_it(
    elasticache: FakeElastiCache, secrets: Any
) -> None:
    lines = set_it(elasticache, secrets)
    assert elasticache.calls == [("ROTATE", TOKEN), ("SET", TOKEN)]
    assert elasticache.tokens == [TOKEN]
    assert len(lines) == 3


def test_a_group_that_asks_for_it_is_left_alone(elasticache: FakeElastiCache, secrets: Any) -> None:
    set_it(elasticache, secrets)
    assert "already" in set_it(elasticache, secrets)[0]
    assert len(elasticache.calls) == 2


def test_interrupted_between_the_steps_it_does_the_second(elasticache: FakeElastiCache, secrets: Any) -> None:
    elasticache.modify_replication_group(
        ReplicationGroupId=NAME, AuthToken=TOKEN, AuthTokenUpdateStrategy="ROTATE", ApplyImmediately=True
    )
    assert elasticache.tokens == [None, TOKEN]  # lets in without it too
    set_it(elasticache, secrets)
    assert elasticache.tokens == [TOKEN]
    assert [strategy for strategy, _ in elasticache.calls] == ["ROTATE", "SET"]


def test_a_group_that_was_made_anew_gets_it_again(elasticache: FakeElastiCache, secrets: Any) -> None:
    set_it(elasticache, secrets)
    new = FakeElastiCache()
    set_it(new, secrets)
    assert new.tokens == [TOKEN]


def test_a_new_group_that_is_interrupted_is_not_taken_for_the_old_one(
    elasticache: FakeElastiCache, secrets: Any
) -> None:
    set_it(elasticache, secrets)
    new = FakeElastiCache()
    with pytest.raises(Failed, match="is modifying, not available"):
        set_first_token(ReplicationGroup(new, NAME, interval=0, timeout=-1), secrets, SECRET, lambda _line: None)
    assert ONLY_TOKEN not in secrets.get_secret_value(SecretId=SECRET)["VersionStages"]
    set_it(new, secrets)
    assert new.tokens == [TOKEN]


# -- the program ---------------------------------------------------------------------------------------------

WORDS = ("--replication-group", NAME, "--secret", SECRET, "--region", REGION)


def test_the_program_sets_the_token(
    elasticache: FakeElastiCache, secrets: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {("elasticache", REGION): elasticache, ("secretsmanager", REGION): secrets}
    monkeypatch.setattr(redis_token, "client", lambda service, region: found[service, region])
    monkeypatch.setattr(polling, "sleep", lambda _seconds: None)
    assert redis_token.main(WORDS) == 0
    assert elasticache.tokens == [TOKEN]
    assert TOKEN not in "".join(capsys.readouterr())


def test_the_program_says_who_was_refused_what(cloud: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert redis_token.main(WORDS) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: AWS refused")
    assert "GetSecretValue" in error
    assert SECRET in error


def test_without_boto3_it_says_what_to_install() -> None:
    # -S: without site-packages, as in a Python that the project did not make. -P would hide the project itself.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "aws.redis_token", *WORDS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "has no boto3" in done.stderr
    assert "Traceback" not in done.stderr
