"""Plans an environment and applies the plan."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws import account, bootstrap, image, terraform, waiting
from aws.installation import Installation
from aws.terraform import Change, Terraform
from release.commands import Commands
from release.errors import Refused

# What cannot be made again: a plan that deletes one of these says so aloud.
_DATA = {
    "aws_db_instance",
    "aws_elasticache_replication_group",
    "aws_kms_key",
    "aws_s3_bucket",
    "aws_secretsmanager_secret",
}
# A plan can be read before there is an image; nothing can be applied with it.
_NO_IMAGE = "none-yet"

Ask = Callable[[str], str]


@dataclass(frozen=True)
class Opened:
    """An environment whose state can be reached, and what it put out last."""

    terraform: Terraform
    outputs: dict[str, Any]


def open_state(commands: Commands, installation: Installation) -> Opened:
    """See that everything is there that Terraform needs, and connect with the state of the environment.

    Raises:
        Refused: a program, credentials of the right account, or the bucket of states are missing.
    """
    terraform.require(commands)
    account.require(installation.account)
    bootstrap.ensure_backend(installation.account)
    found = Terraform(commands, installation.account.folder, installation.environment)
    with commands.output.step(f"connect with the state of {installation.environment}"):
        found.init()
    return Opened(found, found.outputs())


def plan(commands: Commands, installation: Installation, tag: str | None) -> bool:
    """Show what an apply would change; return whether anything would.

    Args:
        commands: runs the programs.
        installation: the environment.
        tag: of the image; None: what runs, or the newest one of the registry.
    """
    opened = open_state(commands, installation)
    try:
        chosen = image.choose(installation.account, installation.environment, tag, opened.outputs.get("image"))
    except Refused as error:
        if tag:
            raise
        commands.output.line(f"    {error}\n    This plan goes on without an image; it cannot be applied.")
        chosen = _NO_IMAGE
    changes = _plan(commands, installation, opened, chosen)
    opened.terraform.forget_plan()
    commands.output.line(
        f"Apply it: make apply ENV={installation.environment}" if changes else "No changes: it is what the files say."
    )
    return changes


def apply(
    commands: Commands, installation: Installation, tag: str | None, ask: Ask | None, seconds: float
) -> dict[str, Any]:
    """Plan, ask, apply that very plan, and wait until everything works; return the outputs.

    Args:
        commands: runs the programs.
        installation: the environment.
        tag: of the image; None: what runs, or the newest one of the registry.
        ask: puts a question to the operator; None: the answer is yes.
        seconds: how long the instances may take after the apply.

    Raises:
        Refused: the operator did not say yes, or there is no image.
        Failed: it was applied, and does not work.
    """
    opened = open_state(commands, installation)
    chosen = image.choose(installation.account, installation.environment, tag, opened.outputs.get("image"))
    known = waiting.known_refreshes(opened.outputs.get("groups", {}))
    outputs = opened.outputs
    if _plan(commands, installation, opened, chosen):
        if ask and ask(f"Apply this to {installation.environment}? Only yes is a yes: ") != "yes":
            opened.terraform.forget_plan()
            raise Refused("nothing was applied.")
        with commands.output.step("apply"):
            opened.terraform.apply()
        outputs = opened.terraform.outputs()
    else:
        opened.terraform.forget_plan()
        commands.output.line("No changes: it is what the files say.")
    if not commands.dry_run:
        with commands.output.step("wait until everything works"):
            works = waiting.of_outputs(outputs, installation.name, known)
            waiting.wait(commands.output, works, seconds)
    return outputs


def _plan(commands: Commands, installation: Installation, opened: Opened, tag: str) -> bool:
    with commands.output.step(f"plan {installation.environment} with the image {tag}"):
        changes = opened.terraform.plan(installation.variable_files, {"image_tag": tag})
    if changes:
        report(commands, opened.terraform.changes())
    return changes


def report(commands: Commands, changes: list[Change]) -> None:
    """Show how much a plan changes, and which data it would delete."""
    commands.output.line(f"    {terraform.summary(changes)}")
    lost = [change.address for change in changes if "delete" in change.actions and change.type in _DATA]
    if lost:
        commands.output.line("    THIS DELETES DATA: " + ", ".join(lost))
