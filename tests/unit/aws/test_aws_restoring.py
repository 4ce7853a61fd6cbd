"""A backup takes the place of the database, with the settings of the present one, which stays beside it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.fake_terraform import REGISTRY, FakeTerraform

from aws import cli, replacing, restoring
from aws.account import client
from aws.groups import Refresh
from release import polling

NAME = "coinrequest-production"
VARIABLES = "-var-file=environments/production.tfvars -var-file=environments/installation.tfvars -var=image_tag=old"


@pytest.fixture
def rds(world: FakeTerraform, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A database of an applied environment, and a clock that nobody waits for."""
    world.outputs = {"image": f"{REGISTRY}/coinrequest:old"}
    monkeypatch.setattr(polling, "sleep", lambda _seconds: None)
    ec2 = client("ec2")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    found = client("rds")
    found.create_db_subnet_group(DBSubnetGroupName=NAME, DBSubnetGroupDescription="isolated", SubnetIds=subnets)
    found.create_db_parameter_group(DBParameterGroupName=NAME, DBParameterGroupFamily="postgres17", Description="tls")
    found.create_db_instance(
        DBInstanceIdentifier=NAME,
        DBInstanceClass="db.t3.small",
        Engine="postgres",
        AllocatedStorage=20,
        DBSubnetGroupName=NAME,
        DBParameterGroupName=NAME,
        VpcSecurityGroupIds=[group],
        MasterUsername="master",
        ManageMasterUserPassword=True,
        StorageEncrypted=True,
        KmsKeyId=client("kms").create_key()["KeyMetadata"]["Arn"],
        MultiAZ=True,
        BackupRetentionPeriod=7,
        Tags=[{"Key": "Environment", "Value": "production"}],
    )
    return found


def by_name(rds: Any) -> dict[str, Any]:
    return {one["DBInstanceIdentifier"]: one for one in rds.describe_db_instances()["DBInstances"]}


def check_exchange(rds: Any, world: FakeTerraform) -> None:
    found = by_name(rds)
    (before,) = [name for name in found if name.startswith(f"{NAME}-before-")]
    assert set(found) == {NAME, before}
    for name in ("DBInstanceClass", "MultiAZ", "StorageEncrypted", "KmsKeyId", "TagList"):
        assert found[NAME][name] == found[before][name], name
    assert found[NAME]["DBSubnetGroup"]["DBSubnetGroupName"] == NAME
    assert found[NAME]["DBParameterGroups"][0]["DBParameterGroupName"] == NAME
    assert found[NAME]["VpcSecurityGroups"] == found[before]["VpcSecurityGroups"]
    assert not found[NAME].get("PubliclyAccessible")
    address = "module.database.aws_db_instance.this"
    assert world.ran("state") == [f"rm {address}"]
    assert world.ran("import") == [f"-input=false {VARIABLES} {address} {NAME}"]


def test_a_moment_of_the_last_days(rds: Any, world: FakeTerraform, capsys: pytest.CaptureFixture[str]) -> None:
    moment = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    assert cli.main(["restore", "production", "--time", moment, "--yes"], world.execute) == 0
    check_exchange(rds, world)
    shown = capsys.readouterr().out
    # There is no instance that could give it a new id.
    steps = ("make apply ENV=production", "python -m aws renew production", "python -m aws restart production")
    assert [shown.index(step) for step in steps] == sorted(shown.index(step) for step in steps)


def test_the_restored_installation_gets_a_new_id(
    rds: Any, world: FakeTerraform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Revisions get numbers again that agents know from before the restore."""
    ran: list[str] = []
    monkeypatch.setattr(replacing.Groups, "roles", lambda _self: frozenset({"web", "scheduler", "agent"}))
    monkeypatch.setattr(replacing.Groups, "instance", lambda _self, role: f"i-{role}")
    monkeypatch.setattr(replacing, "run_command", lambda _ssm, host, command, _: ran.append(f"{host} {command}"))
    rds.create_db_snapshot(DBInstanceIdentifier=NAME, DBSnapshotIdentifier="last")
    assert cli.main(["restore", "production", "--snapshot", "last", "--yes"], world.execute) == 0
    renew = "python -m coinrequest.install.renew_installation"
    assert ran == [f"i-scheduler docker exec coinrequest-scheduler run-process {renew}"]
    assert "aws renew" not in capsys.readouterr().out
    assert cli.main(["renew", "production"], world.execute) == 0
    assert ran == [f"i-scheduler docker exec coinrequest-scheduler run-process {renew}"] * 2


def test_a_snapshot_under_another_key_is_copied_first(rds: Any, world: FakeTerraform) -> None:
    rds.create_db_snapshot(DBInstanceIdentifier=NAME, DBSnapshotIdentifier="last")
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier="last", TargetDBSnapshotIdentifier="kept", KmsKeyId="alias/aws/rds")
    assert cli.main(["restore", "production", "--snapshot", "kept", "--yes"], world.execute) == 0
    names = [one["DBSnapshotIdentifier"] for one in rds.describe_db_snapshots()["DBSnapshots"]]
    assert [name for name in names if name.startswith(f"{NAME}-copy-")]
    check_exchange(rds, world)


def test_only_yes_is_a_yes(rds: Any, world: FakeTerraform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: "y")
    assert cli.main(["restore", "production", "--snapshot", "kept"], world.execute) == 2
    assert set(by_name(rds)) == {NAME}


def test_no_database_whose_place_could_be_taken(world: FakeTerraform, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["restore", "production", "--snapshot", "kept", "--yes"], world.execute) == 2
    assert "make apply first" in capsys.readouterr().out


def test_a_time_needs_its_offset(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["restore", "production", "--time", "2026-11-22T10:00:00"])
    assert "has no offset" in capsys.readouterr().err


def test_a_step_of_rds_that_takes_too_long(
    rds: Any, world: FakeTerraform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter(range(0, 10_000, 100))
    monkeypatch.setattr(polling, "monotonic", lambda: next(seconds))
    describe = restoring._describe
    slow = {"DBInstanceStatus": "creating"}
    monkeypatch.setattr(restoring, "_describe", lambda rds, name: slow if "restored" in name else describe(rds, name))
    rds.create_db_snapshot(DBInstanceIdentifier=NAME, DBSnapshotIdentifier="last")
    words = ["restore", "production", "--snapshot", "last", "--yes", "--timeout", "300"]
    assert cli.main(words, world.execute) == 1
    assert "is creating after 300 s" in capsys.readouterr().out
    assert world.ran("import") == []


@pytest.mark.parametrize(("status", "code"), [("Successful", 0), ("Failed", 1)])
def test_every_instance_is_replaced(
    world: FakeTerraform, monkeypatch: pytest.MonkeyPatch, status: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replacing.Groups, "roles", lambda _self: frozenset({"web", "agent"}))
    monkeypatch.setattr(replacing.Groups, "start", lambda _self, role: f"of {role}")
    monkeypatch.setattr(replacing.Groups, "look", lambda _self, _role, id: Refresh(id, status, 100, "so"))
    assert cli.main(["restart", "production"], world.execute) == code
    assert f"agent {status} 100 %, web {status} 100 %" in capsys.readouterr().out
