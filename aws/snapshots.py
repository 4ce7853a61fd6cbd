"""Snapshots of the database."""

from collections.abc import Mapping, Sequence
from typing import Any

# Two hours.
_PATIENCE = {"Delay": 30, "MaxAttempts": 240}


def create(rds: Any, database: str, name: str, tags: Sequence[Mapping[str, str]]) -> None:
    """Take a snapshot, and wait for it."""
    rds.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier=name, Tags=tags)
    _wait(rds, name)


def copy(rds: Any, source: str, target: str, key: str, **options: Any) -> None:
    """Copy a snapshot, encrypted with another key, and wait for it."""
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=source, TargetDBSnapshotIdentifier=target, KmsKeyId=key, **options)
    _wait(rds, target)


def _wait(rds: Any, name: str) -> None:
    rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier=name, WaiterConfig=_PATIENCE)
