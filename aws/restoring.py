"""Replaces the database by one from a backup, and keeps the old one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws import snapshots
from aws.account import client
from aws.applying import Ask, open_state
from aws.installation import Installation
from release.commands import Commands
from release.errors import Failed, Refused
from release.polling import poll

_ADDRESS = "module.database.aws_db_instance.this"
_INTERVAL = 30.0


@dataclass(frozen=True)
class Backup:
    """What to restore: a moment of the last days, or a snapshot.

    Args:
        time: aware; None: there is a snapshot.
        snapshot: its name; None: there is a time.
    """

    time: datetime | None = None
    snapshot: str | None = None


def restore(commands: Commands, installation: Installation, backup: Backup, ask: Ask | None, timeout: float) -> str:
    """Restore into a new database, swap it with the present one, and update Terraform's state.

    The host name stays the same. Open connections break, and processes reconnect. The old database gets another name,
    which is returned.

    Args:
        commands: runs the programs.
        installation: the environment.
        backup: what to restore.
        ask: asks the operator; None: the answer is yes.
        timeout: seconds for each step of RDS.

    Raises:
        Refused: the operator did not answer yes, or there is no database to take the settings from.
        Failed: a step of RDS took too long.
    """
    name = installation.name
    opened = open_state(commands, installation)
    rds = client("rds")
    found = _describe(rds, name)
    if found is None:
        raise Refused(f"There is no database {name} to replace: make apply first.")
    what = backup.snapshot or f"its state of {backup.time:%Y-%m-%d %H:%M:%S %Z}"
    if ask and ask(f"Replace {name} by {what}? Everything newer is lost to it. Type yes to go on: ") != "yes":
        raise Refused("nothing was restored.")
    moment = f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
    restored, before = f"{name}-restored-{moment}", f"{name}-before-{moment}"
    with commands.output.step(f"restore {what} as {restored}"):
        if backup.snapshot:
            snapshot = _under_key(rds, backup.snapshot, found["KmsKeyId"], f"{name}-copy-{moment}")
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
        _await_available(rds, restored, timeout)
    with commands.output.step("swap the two"):
        for old, new in ((name, before), (restored, name)):
            rds.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)
            _await_available(rds, new, timeout)
    with commands.output.step("update Terraform's state"):
        variables = {"image_tag": str(opened.outputs["image"]).rpartition(":")[2]}
        opened.terraform.replace_in_state(_ADDRESS, name, installation.variable_files, variables)
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
        # The backup's master password is unknown. RDS makes a new one, and a secret for it.
        "ManageMasterUserPassword": True,
        "MasterUserSecretKmsKeyId": of["KmsKeyId"],
        "Tags": of.get("TagList", []),
    }


def _under_key(rds: Any, snapshot: str, key: str, copy: str) -> str:
    """Return a snapshot that is encrypted with the installation's key: itself, or a copy."""
    (found,) = rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
    if found.get("KmsKeyId") == key:
        return snapshot
    snapshots.copy(rds, snapshot, copy, key)
    return copy


def _describe(rds: Any, name: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    except rds.exceptions.DBInstanceNotFoundFault:
        return None
    return found


def _await_available(rds: Any, name: str, timeout: float) -> None:
    """Wait for the database with this name. After a renaming AWS does not find it for a while."""

    def status() -> str:
        found = _describe(rds, name)
        return found["DBInstanceStatus"] if found else "not there"

    last = poll(status, lambda status: status == "available", timeout, _INTERVAL)
    if last != "available":
        raise Failed(
            f"{name} is {last} after {timeout:.0f} s. docs/how-to/aws-operations.md says how to continue by hand."
        )
