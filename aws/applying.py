"""Plans an environment and applies the plan."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws import bootstrap, image, terraform, waiting
from aws.installation import Installation
from aws.terraform import Change, Terraform
from release.commands import Commands
from release.errors import Refused

# Resources whose deletion loses data; a plan that deletes one says so.
_DATA = {
    "aws_db_instance",
    "aws_elasticache_replication_group",
    "aws_kms_key",
    "aws_s3_bucket",
    "aws_secretsmanager_secret",
}
# Without an image there can be a plan, but no apply.
_NO_IMAGE = "none-yet"
_NO_CHANGES = "No changes: the installation is as the files describe it."

Ask = Callable[[str], str]


@dataclass(frozen=True)
class Opened:
    """Terraform connected with the state of an environment, and the outputs of its last apply."""

    terraform: Terraform
    outputs: dict[str, Any]


def open_state(commands: Commands, installation: Installation) -> Opened:
    """Check that Terraform can run, and connect with the state of the environment.

    Raises:
        Refused: Terraform or the bucket for states is missing.
    """
    terraform.require(commands)
    bootstrap.ensure_backend(installation.account)
    found = Terraform(commands, installation.account.folder, installation.environment)
    with commands.output.step(f"connect with the state of {installation.environment}"):
        found.init()
    return Opened(found, found.outputs())


def plan(commands: Commands, installation: Installation, tag: str | None) -> bool:
    """Show what an apply would change; return whether anything would change.

    Args:
        commands: runs the programs.
        installation: the environment.
        tag: of the image; None: what runs, or the newest one in the registry.
    """
    opened = open_state(commands, installation)
    try:
        chosen = image.choose(installation.account, installation.environment, tag, opened.outputs.get("image"))
    except Refused as error:
        if tag:
            raise
        commands.output.line(f"    {error}\n    This plan has no image, so it cannot be applied.")
        chosen = _NO_IMAGE
    changes = _plan(commands, installation, opened, chosen)
    opened.terraform.forget_plan()
    commands.output.line(f"Apply it: make apply ENV={installation.environment}" if changes else _NO_CHANGES)
    return changes


def apply(
    commands: Commands, installation: Installation, tag: str | None, ask: Ask | None, timeout: float
) -> dict[str, Any]:
    """Plan, ask, apply exactly that plan, and wait until everything works; return the outputs.

    Args:
        commands: runs the programs.
        installation: the environment.
        tag: of the image; None: what runs, or the newest one in the registry.
        ask: asks the operator; None: the answer is yes.
        timeout: seconds for the instances after the apply.

    Raises:
        Refused: the operator did not answer yes, or there is no image.
        Failed: it was applied, and does not work.
    """
    opened = open_state(commands, installation)
    chosen = image.choose(installation.account, installation.environment, tag, opened.outputs.get("image"))
    known = waiting.known_refreshes(opened.outputs.get("groups", {}))
    outputs = opened.outputs
    if _plan(commands, installation, opened, chosen):
        if ask and ask(f"Apply this to {installation.environment}? Type yes to go on: ") != "yes":
            opened.terraform.forget_plan()
            raise Refused("nothing was applied.")
        with commands.output.step("apply"):
            opened.terraform.apply()
        outputs = opened.terraform.outputs()
    else:
        commands.output.line(_NO_CHANGES)
    if not commands.dry_run:
        with commands.output.step("wait until everything works"):
            waiting.wait(commands.output, waiting.of_outputs(outputs, installation.name, known), timeout)
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
