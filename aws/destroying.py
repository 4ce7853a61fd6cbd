"""Takes an environment down, and looks for what is left of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep

from aws.account import client
from aws.applying import Ask, Opened, open_state, report
from aws.installation import Installation
from release.commands import Commands
from release.errors import Failed, Refused
from release.image import parse

# What `protected` holds back. The others need no change before they can go.
PROTECTED = {
    "aws_db_instance",
    "aws_kms_key",
    "aws_lb",
    "aws_s3_bucket",
    "aws_secretsmanager_secret",
}
# Its own key goes with the installation, so that a snapshot under it could not be read after a week.
_KEY_OF_SNAPSHOTS = "alias/aws/rds"
# AWS lists these for up to an hour after their end.
_ENDED = {"shutting-down", "terminated", "deleting", "deleted"}
_SECONDS_BETWEEN = 15.0


@dataclass(frozen=True)
class Left:
    """What AWS still has of an environment.

    Args:
        resources: ARNs that nobody deletes.
        ending: ARNs that AWS itself forgets soon.
        log_groups: names.
    """

    resources: tuple[str, ...]
    ending: tuple[str, ...]
    log_groups: tuple[str, ...]


def destroy(
    commands: Commands, installation: Installation, ask: Ask | None, keep_snapshot: bool, seconds: float
) -> None:
    """Take the environment down.

    Args:
        commands: runs the programs.
        installation: the environment.
        ask: puts a question to the operator; None: it was confirmed already.
        keep_snapshot: keep a snapshot of the database, which outlives the environment's key.
        seconds: how long AWS may list what is gone already.

    Raises:
        Refused: the operator did not confirm.
        Failed: something is left.
    """
    name = installation.environment
    question = f"This takes {name} down, with its database, its logs and its secrets. Type {name} to go on: "
    if ask and ask(question) != name:
        raise Refused("nothing was taken down.")
    opened = open_state(commands, installation)
    resources = opened.terraform.resources()
    if resources or commands.dry_run:
        _take_down(commands, installation, opened, resources, keep_snapshot)
    else:
        commands.output.line("The state is empty: there is nothing to take down.")
    if not commands.dry_run:
        with commands.output.step("look for what is left"):
            _report_left(commands, await_end(installation, seconds))


def _take_down(
    commands: Commands,
    installation: Installation,
    opened: Opened,
    resources: Sequence[tuple[str, str]],
    keep_snapshot: bool,
) -> None:
    running = opened.outputs.get("image")
    tag = (parse(running).tag if running else None) or "none"
    variables = {"image_tag": tag, "protected": "false"}
    if keep_snapshot and any(kind == "aws_db_instance" for _, kind in resources):
        with commands.output.step("keep a snapshot of the database"):
            _keep_snapshot(commands, installation)
    targets = [f"-target={address}" for address, kind in resources if kind in PROTECTED]
    if targets:
        with commands.output.step("take the protection off"):
            if opened.terraform.plan(installation.variable_files, variables, *targets):
                opened.terraform.apply()
            opened.terraform.forget_plan()
    with commands.output.step("destroy"):
        if opened.terraform.plan(installation.variable_files, variables, "-destroy"):
            report(commands, opened.terraform.changes())
            opened.terraform.apply()
        opened.terraform.forget_plan()


def _keep_snapshot(commands: Commands, installation: Installation) -> None:
    """Write a snapshot, and copy it to a key that stays."""
    moment = f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
    first, kept = f"{installation.name}-last-{moment}", f"{installation.name}-kept-{moment}"
    if commands.dry_run:
        commands.output.detail(f"(a snapshot {kept} would be written)")
        return
    rds = client("rds")
    waiter = rds.get_waiter("db_snapshot_available")
    patience = {"Delay": 30, "MaxAttempts": 240}
    tags = [{"Key": "Project", "Value": "coinrequest"}, {"Key": "KeptFrom", "Value": installation.environment}]
    rds.create_db_snapshot(DBInstanceIdentifier=installation.name, DBSnapshotIdentifier=first, Tags=tags)
    waiter.wait(DBSnapshotIdentifier=first, WaiterConfig=patience)
    copy = {"SourceDBSnapshotIdentifier": first, "TargetDBSnapshotIdentifier": kept, "KmsKeyId": _KEY_OF_SNAPSHOTS}
    rds.copy_db_snapshot(**copy, Tags=tags)
    waiter.wait(DBSnapshotIdentifier=kept, WaiterConfig=patience)
    rds.delete_db_snapshot(DBSnapshotIdentifier=first)
    commands.output.detail(f"kept: {kept}, encrypted with {_KEY_OF_SNAPSHOTS}")


def await_end(installation: Installation, seconds: float) -> Left:
    """Look for what is left, until that is nothing or the time is up."""
    began = monotonic()
    while True:
        left = find_left(installation)
        if not left.resources or monotonic() - began > seconds:
            return left
        sleep(_SECONDS_BETWEEN)


def find_left(installation: Installation) -> Left:
    """Ask AWS for everything with the environment's tags, and for log groups with its name."""
    filters = [
        {"Key": "Project", "Values": ["coinrequest"]},
        {"Key": "Environment", "Values": [installation.environment]},
    ]
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
    arns = sorted(one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"])
    ending = tuple(arn for arn in arns if _is_ending(arn))
    pages = client("logs").get_paginator("describe_log_groups").paginate()
    logs = (group["logGroupName"] for page in pages for group in page["logGroups"])
    own = re.compile(rf"coinrequest[-/]{re.escape(installation.environment)}\b")
    return Left(
        tuple(arn for arn in arns if arn not in ending),
        ending,
        tuple(name for name in logs if own.search(name)),
    )


def _is_ending(arn: str) -> bool:
    id = arn.rpartition("/")[2]
    if ":kms:" in arn:
        return bool(client("kms").describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "PendingDeletion")
    if ":instance/" in arn:
        filters = [{"Name": "instance-id", "Values": [id]}]
        reservations = client("ec2").describe_instances(Filters=filters)["Reservations"]
        return all(one["State"]["Name"] in _ENDED for group in reservations for one in group["Instances"])
    if ":natgateway/" in arn:
        filters = [{"Name": "nat-gateway-id", "Values": [id]}]
        return all(
            one["State"] in _ENDED for one in client("ec2").describe_nat_gateways(Filters=filters)["NatGateways"]
        )
    return False


def _report_left(commands: Commands, left: Left) -> None:
    line = commands.output.line
    for arn in left.ending:
        line(f"    ends by itself: {arn}" + (" (7 days)" if ":kms:" in arn else ""))
    for name in left.log_groups:
        line(f"    left: log group {name}: aws logs delete-log-group --log-group-name {name}")
    for arn in left.resources:
        line(f"    left: {arn}")
    if left.resources or left.log_groups:
        raise Failed("not everything is gone; the lines above say what is left.")
    line("    Nothing is left but what ends by itself." if left.ending else "    Nothing is left.")
