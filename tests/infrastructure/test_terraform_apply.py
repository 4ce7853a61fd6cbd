"""Production is built, planned again and taken down for real, on an AWS that stands on loopback.

That AWS keeps what it is told and enforces nothing: what is secure is in test_terraform_security.py.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from support.terraform_installation import Installation, Removal
from support.terraform_plans import Expected, changes, judge

pytestmark = pytest.mark.aws

# Where moto's answer is another than AWS' would be, so that Terraform sees a change where there is none. Whatever else
# a second plan would change is a mistake of ours. (What fake_aws/ mends is not here.)
MOTO_DIFFERS: tuple[Expected, ...] = ()

PROTECTED = "what protects against deletion, as make destroy takes it off"
NEW_IMAGE = "a new image is a new version of each launch template, which a refresh of the group rolls out"
# What may change with them. Above all nothing is replaced.
UNPROTECTED_WITH_A_NEW_IMAGE = (
    Expected("aws_kms_key.this", "deletion_window_in_days", PROTECTED),
    Expected("module.database.aws_db_instance.this", "apply_immediately", PROTECTED),
    Expected("module.database.aws_db_instance.this", "delete_automated_backups", PROTECTED),
    Expected("module.database.aws_db_instance.this", "deletion_protection", PROTECTED),
    Expected("module.database.aws_db_instance.this", "final_snapshot_identifier", PROTECTED),
    Expected("module.database.aws_db_instance.this", "skip_final_snapshot", PROTECTED),
    Expected("module.load_balancer.aws_lb.*", "enable_deletion_protection", PROTECTED),
    Expected("module.secrets.aws_secretsmanager_secret.this[*]", "recovery_window_in_days", PROTECTED),
    Expected("module.storage.aws_s3_bucket.*", "force_destroy", PROTECTED),
    Expected("module.role[*].aws_launch_template.this", "user_data", NEW_IMAGE),
    Expected("module.role[*].aws_launch_template.this", "description", NEW_IMAGE),
    Expected("module.role[*].aws_launch_template.this", "*_version", NEW_IMAGE),
    Expected("module.role[*].aws_autoscaling_group.this", "launch_template", NEW_IMAGE),
    Expected("output.image", "value", NEW_IMAGE),
)

_SECRET_ATTRIBUTES = re.compile(r"^(?:(?:\w+_)?password|secret_string|secret_binary|auth_token|private_key|secret)$")
_LOOKS_SECRET = re.compile(r"-----BEGIN|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|://[^/\s:@\"$]+:[^/\s@\"$]+@")


def single(value: str) -> list[str]:
    """Return the single secrets in one that may be a map in JSON."""
    return [str(one) for one in json.loads(value).values()] if value.startswith("{") else [value]


def attributes(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every name with its value, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from attributes(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from attributes(inner, name)
    else:
        yield name, value


def lines(items: Iterable[object]) -> str:
    return "\n".join(sorted(map(str, items)))


# -- built -------------------------------------------------------------------------------------------------


def test_everything_is_built_by_one_command(aws_production: Installation) -> None:
    assert re.search(r"Apply complete! Resources: 2\d\d added, 0 changed, 0 destroyed", aws_production.log)


def test_a_second_plan_says_that_nothing_changes(aws_production: Installation) -> None:
    unexpected, unused = judge(list(changes(aws_production.second_plan)), MOTO_DIFFERS)
    assert not unexpected, "a second plan would change this:\n" + lines(unexpected)
    assert not unused, "expected of moto, and not so:\n" + lines(unused)


def test_redis_has_its_token(aws_production: Installation) -> None:
    (group,) = aws_production.redis
    assert group["AuthTokenEnabled"]
    assert group["TransitEncryptionEnabled"]


def test_every_secret_is_one_and_long_enough(aws_production: Installation) -> None:
    own = {name.partition("/")[2]: value for name, value in aws_production.secrets.items() if "/" in name}
    assert {
        "database-owner",
        "database-reader",
        "fernet-key",
        "jwt-secret",
        "api-secret-key",
        "redis",
        "people",
    } <= set(own)
    values = [one for value in own.values() for one in single(value)]
    assert len(values) == len(set(values)), "no two are the same"
    assert all(len(value) >= 32 for value in values)
    assert len(own["jwt-secret"]) >= 64


# -- no secret in the open ---------------------------------------------------------------------------------


def test_no_secret_is_in_a_state_an_output_a_plan_or_the_log(aws_production: Installation) -> None:
    values = [one for value in aws_production.secrets.values() for one in single(value)]
    assert len(values) > 7
    assert len(aws_production.states) >= 1
    places = {
        "a state": "".join(aws_production.states),
        "an output": aws_production.outputs,
        "a plan": json.dumps(aws_production.second_plan),
        "the log": aws_production.log,
    }
    for place, text in places.items():
        for name, secret in aws_production.secrets.items():
            # A short value, such as a user's name, is no secret.
            assert not [one for one in single(secret) if len(one) > 8 and one in text], f"{name} is in {place}"


def test_nothing_in_a_state_looks_like_a_secret(aws_production: Installation) -> None:
    for state in aws_production.states:
        assert not _LOOKS_SECRET.search(state)
        for name, value in attributes(json.loads(state)):
            # True says that AWS keeps the password by itself.
            assert not (_SECRET_ATTRIBUTES.match(name) and value and value is not True), f"{name} is in the state"


def test_the_state_is_in_the_bucket_alone(aws_production: Installation) -> None:
    assert not list(aws_production.terraform.folder.glob("*.tfstate"))
    assert any('"aws_db_instance"' in state for state in aws_production.states)


# -- taken down --------------------------------------------------------------------------------------------


def test_the_protection_and_a_new_image_change_nothing_else(aws_removal: Removal) -> None:
    unexpected, unused = judge(list(changes(aws_removal.unprotecting)), [*MOTO_DIFFERS, *UNPROTECTED_WITH_A_NEW_IMAGE])
    assert not unexpected, lines(unexpected)
    assert not unused, lines(unused)


def test_destroying_leaves_nothing(aws_production: Installation, aws_removal: Removal) -> None:
    left, lost = aws_removal.after - aws_production.before, aws_production.before - aws_removal.after
    assert not left, "this is left:\n" + lines(left)
    assert not lost, "this belongs to the account, and is gone:\n" + lines(lost)


def test_it_took_this_long(
    aws_production: Installation, aws_removal: Removal, capfd: pytest.CaptureFixture[str]
) -> None:
    seconds = aws_production.seconds | aws_removal.seconds
    with capfd.disabled():
        print("\n  " + ", ".join(f"{step} {spent:.0f} s" for step, spent in seconds.items()))
    assert list(seconds) == ["apply", "second plan", "protection off, new image", "destroy"]
