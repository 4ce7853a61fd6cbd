"""Destroys an environment, and lists what remains of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aws import snapshots
from aws.account import client
from aws.applying import Ask, Opened, open_state, report
from aws.installation import Installation
from release.commands import Commands
from release.errors import Failed, Refused
from release.image import parse
from release.polling import poll

# The resources that the variable `protected` protects.
PROTECTED = {
    "aws_db_instance",
    "aws_kms_key",
    "aws_lb",
    "aws_s3_bucket",
    "aws_secretsmanager_secret",
}
# The installation's own key is deleted with it, and a snapshot under it could not be read after a week.
_SNAPSHOT_KEY = "alias/aws/rds"
# AWS lists these for up to an hour after their end.
_ENDED = {"shutting-down", "terminated", "deleting", "deleted"}
_INTERVAL = 15.0


@dataclass(frozen=True)
class Leftovers:
    """What AWS still has of an environment.

    Args:
        resources: ARNs that nothing deletes.
        ending: ARNs that AWS itself removes soon.
        log_groups: names.
    """

    resources: tuple[str, ...]
    ending: tuple[str, ...]
    log_groups: tuple[str, ...]


def destroy(
    commands: Commands, installation: Installation, ask: Ask | None, keep_snapshot: bool, timeout: float
) -> None:
    """Destroy the environment.

    Args:
        commands: runs the programs.
        installation: the environment.
        ask: asks the operator; None: it is confirmed already.
        keep_snapshot: keep a snapshot of the database, which outlives the environment's key.
        timeout: seconds for which AWS may list what is gone already.

    Raises:
        Refused: the operator did not confirm.
        Failed: something remains.
    """
    name = installation.environment
    question = f"This destroys {name}, with its database, its logs and its secrets. Type {name} to go on: "
    if ask and ask(question) != name:
        raise Refused("nothing was destroyed.")
    opened = open_state(commands, installation)
    resources = opened.terraform.resources()
    if resources or commands.dry_run:
        _destroy(commands, installation, opened, resources, keep_snapshot)
    else:
        commands.output.line("The state is empty: there is nothing to destroy.")
    if not commands.dry_run:
        with commands.output.step("look for leftovers"):
            _report_leftovers(commands, await_end(installation, timeout))


def _destroy(
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
        with commands.output.step("remove the protection"):
            if opened.terraform.plan(installation.variable_files, variables, *targets):
                opened.terraform.apply()
    with commands.output.step("destroy"):
        if opened.terraform.plan(installation.variable_files, variables, "-destroy"):
            report(commands, opened.terraform.changes())
            opened.terraform.apply()


def _keep_snapshot(commands: Commands, installation: Installation) -> None:
    """Take a snapshot, and copy it to a key that outlives the installation."""
    moment = f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
    first, kept = f"{installation.name}-last-{moment}", f"{installation.name}-kept-{moment}"
    if commands.dry_run:
        commands.output.detail(f"(a snapshot {kept} would be written)")
        return
    rds = client("rds")
    tags = [{"Key": "Project", "Value": "coinrequest"}, {"Key": "KeptFrom", "Value": installation.environment}]
    snapshots.create(rds, installation.name, first, tags)
    snapshots.copy(rds, first, kept, _SNAPSHOT_KEY, Tags=tags)
    rds.delete_db_snapshot(DBSnapshotIdentifier=first)
    commands.output.detail(f"kept: {kept}, encrypted with {_SNAPSHOT_KEY}")


def await_end(installation: Installation, timeout: float) -> Leftovers:
    """Look for leftovers until there are none or the time is up."""
    return poll(lambda: find_leftovers(installation), lambda found: not found.resources, timeout, _INTERVAL)


def find_leftovers(installation: Installation) -> Leftovers:
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
    return Leftovers(
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


def _report_leftovers(commands: Commands, found: Leftovers) -> None:
    line = commands.output.line
    for arn in found.ending:
        line(f"    AWS removes it soon: {arn}" + (" (7 days)" if ":kms:" in arn else ""))
    for name in found.log_groups:
        line(f"    remains: log group {name}: aws logs delete-log-group --log-group-name {name}")
    for arn in found.resources:
        line(f"    remains: {arn}")
    if found.resources or found.log_groups:
        raise Failed("not everything is gone; the lines above say what remains.")
    line("    Nothing remains but what AWS removes soon." if found.ending else "    Nothing remains.")
