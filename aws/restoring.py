"""Puts a database from a backup in the place of the present one, which is kept beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

from aws.account import client
from aws.applying import Ask, open_state
from aws.installation import Installation
from release.commands import Commands
from release.errors import Failed, Refused

_ADDRESS = "module.database.aws_db_instance.this"
_SECONDS_BETWEEN = 30.0


@dataclass(frozen=True)
class Backup:
    """What to restore: a moment of the last days, or a snapshot.

    Args:
        time: aware; None: there is a snapshot.
        snapshot: its name; None: there is a time.
    """

    time: datetime | None = None
    snapshot: str | None = None


def restore(commands: Commands, installation: Installation, backup: Backup, ask: Ask | None, seconds: float) -> str:
    """Restore beside the present database, exchange the two, and tell Terraform; return the name of the one before.

    The host's name stays the same. Whoever is connected is cut off; processes connect again by themselves.

    Args:
        commands: runs the programs.
        installation: the environment.
        backup: what to restore.
        ask: puts a question to the operator; None: the answer is yes.
        seconds: how long each of RDS' steps may take.

    Raises:
        Refused: the operator did not say yes, or there is no database whose settings could be taken.
        Failed: RDS did not get there in time.
    """
    name = installation.name
    opened = open_state(commands, installation)
    rds = client("rds")
    found = _describe(rds, name)
    if found is None:
        raise Refused(f"There is no database {name} whose place could be taken: make apply first.")
    what = backup.snapshot or f"its state of {backup.time:%Y-%m-%d %H:%M:%S %Z}"
    if ask and ask(f"Replace {name} by {what}? What came since is lost to it. Only yes is a yes: ") != "yes":
        raise Refused("nothing was restored.")
    moment = f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
    restored, before = f"{name}-restored-{moment}", f"{name}-before-{moment}"
    with commands.output.step(f"restore {what} beside it, as {restored}"):
        if backup.snapshot:
            snapshot = _with_key(rds, backup.snapshot, found["KmsKeyId"], f"{name}-copy-{moment}")
            rds.restore_db_instance_from_db_snapshot(
                DBSnapshotIdentifier=snapshot, DBInstanceIdentifier=restored, **_settings(found)
            )
        else:
            rds.restore_db_instance_to_point_in_time(
                SourceDBInstanceIdentifier=name,
                TargetDBInstanceIdentifier=restored,
                RestoreTime=backup.time,
                **_settings(found),
            )
        _await_available(rds, restored, seconds)
    with commands.output.step("exchange the two"):
        for old, new in ((name, before), (restored, name)):
            rds.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)
            _await_available(rds, new, seconds)
    with commands.output.step("tell Terraform which one it is"):
        image = str(opened.outputs["image"]).rpartition(":")[2]
        opened.terraform.take_over(_ADDRESS, name, installation.variable_files, {"image_tag": image})
    return before


def _settings(of: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that Terraform gave to a database, for another one."""
    return {
        "DBInstanceClass": of["DBInstanceClass"],
        "DBSubnetGroupName": of["DBSubnetGroup"]["DBSubnetGroupName"],
        "VpcSecurityGroupIds": [group["VpcSecurityGroupId"] for group in of["VpcSecurityGroups"]],
        "DBParameterGroupName": of["DBParameterGroups"][0]["DBParameterGroupName"],
        "MultiAZ": of["MultiAZ"],
        "StorageType": of["StorageType"],
        "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": False,
        "CopyTagsToSnapshot": True,
        "DeletionProtection": of["DeletionProtection"],
        "EnableCloudwatchLogsExports": of.get("EnabledCloudwatchLogsExports", []),
        # Nobody knows the master password of the backup; RDS makes a new one, in a secret of its own.
        "ManageMasterUserPassword": True,
        "MasterUserSecretKmsKeyId": of["KmsKeyId"],
        "Tags": of.get("TagList", []),
    }


def _with_key(rds: Any, snapshot: str, key: str, copy: str) -> str:
    """Return a snapshot under the key of the installation: itself, or a copy."""
    (found,) = rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
    if found.get("KmsKeyId") == key:
        return snapshot
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=snapshot, TargetDBSnapshotIdentifier=copy, KmsKeyId=key)
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier=copy, WaiterConfig={"Delay": 30, "MaxAttempts": 240}
    )
    return copy


def _describe(rds: Any, name: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    except rds.exceptions.DBInstanceNotFoundFault:
        return None
    return found


def _await_available(rds: Any, name: str, seconds: float) -> None:
    """Wait for a database of this name. After a renaming it is not found for a while."""
    began = monotonic()
    while True:
        found = _describe(rds, name)
        if found is not None and found["DBInstanceStatus"] == "available":
            return
        if monotonic() - began > seconds:
            status = found["DBInstanceStatus"] if found else "not there"
            raise Failed(
                f"{name} is {status} after {seconds:.0f} s. docs/how-to/aws-operations.md says how to go on by hand."
            )
        sleep(_SECONDS_BETWEEN)
