"""An environment is destroyed: protection off, everything gone, and what remains is named."""

import re
from typing import Any

import pytest
from support.fake_terraform import FakeTerraform

from aws import cli, destroying
from aws.account import client
from aws.installation import TERRAFORM, Installation
from release import polling

FILES = "-var-file=environments/production.tfvars -var-file=environments/installation.tfvars"
OPTIONS = (
    f"-input=false -detailed-exitcode -compact-warnings -out=production.tfplan {FILES}"
    " -var=image_tag=old -var=protected=false"
)
TAGS = {"Project": "coinrequest", "Environment": "production"}


@pytest.fixture
def world(world: FakeTerraform) -> FakeTerraform:
    """With an installation."""
    world.outputs = {"image": "registry/coinrequest:old"}
    world.resources = [
        ("module.network.aws_vpc.this", "aws_vpc"),
        ("module.database.aws_db_instance.this", "aws_db_instance"),
        ('module.secrets.aws_secretsmanager_secret.this["redis"]', "aws_secretsmanager_secret"),
    ]
    world.planned = [("module.database.aws_db_instance.this", ("delete",))]
    return world


def test_the_protection_is_taken_off_first(world: FakeTerraform, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["destroy", "production", "--confirm", "production"], world.execute) == 0
    unprotect, destroy = world.ran("plan")
    assert unprotect == (
        f"{OPTIONS} -target=module.database.aws_db_instance.this"
        """ '-target=module.secrets.aws_secretsmanager_secret.this["redis"]'"""
    )
    assert destroy == f"{OPTIONS} -destroy"
    assert world.ran("apply") == ["-input=false production.tfplan"] * 2
    assert "Nothing remains." in capsys.readouterr().out


def test_what_is_protected_is_what_terraform_protects() -> None:
    found = {
        block[1]
        for path in TERRAFORM.rglob("*.tf")
        for block in re.finditer(r'^resource "(\w+)" .*?^}', path.read_text(), re.MULTILINE | re.DOTALL)
        if "var.protected" in block[0]
    }
    assert found == destroying.PROTECTED


@pytest.mark.parametrize("answer", ["yes", "", "staging"])
def test_the_name_has_to_be_typed(world: FakeTerraform, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: answer)
    assert cli.main(["destroy", "production"], world.execute) == 2
    assert world.lines == []


def test_a_confirmation_of_another_environment(world: FakeTerraform) -> None:
    assert cli.main(["destroy", "production", "--confirm", "staging"], world.execute) == 2
    assert world.lines == []


def test_nothing_is_there(world: FakeTerraform, capsys: pytest.CaptureFixture[str]) -> None:
    world.resources = []
    assert cli.main(["destroy", "production", "--confirm", "production"], world.execute) == 0
    assert world.ran("plan") == []
    assert "there is nothing to destroy" in capsys.readouterr().out


def test_a_dry_run(world: FakeTerraform, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["destroy", "production", "--dry-run", "--keep-snapshot"], world.execute) == 0
    assert world.ran("apply") == []
    assert " -destroy" in capsys.readouterr().out


def test_a_snapshot_outlives_the_key(world: FakeTerraform, capsys: pytest.CaptureFixture[str]) -> None:
    rds = client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="coinrequest-production", DBInstanceClass="db.t3.micro", Engine="postgres"
    )
    words = ["destroy", "production", "--confirm", "production", "--keep-snapshot"]
    assert cli.main(words, world.execute) == 0
    (kept,) = [one for one in rds.describe_db_snapshots()["DBSnapshots"] if one["SnapshotType"] == "manual"]
    assert kept["DBSnapshotIdentifier"].startswith("coinrequest-production-kept-")
    assert kept["KmsKeyId"] == client("kms").describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["Arn"]
    assert {"Key": "KeptFrom", "Value": "production"} in kept["TagList"]
    assert f"kept: {kept['DBSnapshotIdentifier']}" in capsys.readouterr().out


def test_what_is_left_is_listed(
    world: FakeTerraform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs, kms = client("logs"), client("kms")
    for name in ("/coinrequest-production/web", "/aws/rds/instance/coinrequest-staging/postgresql"):
        logs.create_log_group(logGroupName=name)
    client("sqs").create_queue(QueueName="ours", tags=TAGS)
    client("sqs").create_queue(QueueName="theirs", tags={**TAGS, "Environment": "staging"})
    tags = [{"TagKey": name, "TagValue": value} for name, value in TAGS.items()]
    key = kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    slept: list[float] = []
    monkeypatch.setattr(polling, "sleep", slept.append)
    monkeypatch.setattr(polling, "monotonic", lambda: 100.0 * len(slept))
    assert cli.main(["destroy", "production", "--confirm", "production"], world.execute) == 1
    shown = capsys.readouterr().out
    assert "remains: arn:aws:sqs:eu-west-1:123456789012:ours" in shown
    assert "aws logs delete-log-group --log-group-name /coinrequest-production/web" in shown
    assert f"AWS removes it soon: arn:aws:kms:eu-west-1:123456789012:key/{key} (7 days)" in shown
    assert "theirs" not in shown
    assert "staging" not in shown
    assert len(slept) == 4


def test_what_aws_forgets_by_itself(production: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, runs = "arn:aws:ec2:eu-west-1:1:instance/i-ended", "arn:aws:ec2:eu-west-1:1:instance/i-runs"
    gateway, bucket = "arn:aws:ec2:eu-west-1:1:natgateway/nat-1", "arn:aws:s3:::bucket"

    class Client:
        def get_paginator(self, _call: str) -> Any:
            return self

        def paginate(self, **_options: Any) -> list[dict[str, Any]]:
            arns = [ended, runs, gateway, bucket]
            return [{"ResourceTagMappingList": [{"ResourceARN": arn} for arn in arns], "logGroups": []}]

        def describe_instances(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
            state = {"i-ended": "terminated", "i-runs": "running"}[Filters[0]["Values"][0]]
            return {"Reservations": [{"Instances": [{"State": {"Name": state}}]}]}

        def describe_nat_gateways(self, **_options: Any) -> dict[str, Any]:
            return {"NatGateways": [{"State": "deleted"}]}

    monkeypatch.setattr(destroying, "client", lambda _service: Client())
    assert destroying.find_leftovers(production) == destroying.Leftovers((runs, bucket), (ended, gateway), ())
