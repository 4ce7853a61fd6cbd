"""Runs Terraform. Each environment has its own data folder and its own state."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.commands import CommandFailed, Commands
from release.errors import Failed, Refused

_MINIMUM_VERSION = (1, 11)
_HAS_CHANGES = 2
_INSTALL = (
    "Install Terraform 1.11 or newer (write-only arguments keep secrets out of the state): "
    "https://developer.hashicorp.com/terraform/install"
)


@dataclass(frozen=True)
class Change:
    """One resource that a plan changes.

    Args:
        address: `module.database.aws_db_instance.this`.
        type: `aws_db_instance`.
        actions: `("create",)`, `("delete", "create")`, ...
    """

    address: str
    type: str
    actions: tuple[str, ...]


class Terraform:
    """The root module with the state of one environment.

    Args:
        commands: runs the programs.
        folder: the root module, with `backend.hcl`.
        environment: names the state and the data folder.
    """

    def __init__(self, commands: Commands, folder: Path, environment: str) -> None:
        self._commands = commands
        self._folder = folder
        self._environment = environment
        self._plan = folder / f"{environment}.tfplan"
        self._variables = {
            "TF_DATA_DIR": str(folder / ".terraform" / environment),
            "TF_IN_AUTOMATION": "1",
            # Terraform sets the token of Redis with this Python (aws/redis_token.py).
            "TF_VAR_python": sys.executable,
        }

    def init(self) -> None:
        """Install the locked provider, and connect with the state of the environment."""
        backend = ("-backend-config=backend.hcl", f"-backend-config=key={self._environment}.tfstate")
        self._run("init", "-input=false", "-reconfigure", "-lockfile=readonly", *backend)

    def plan(self, variable_files: Sequence[str], variables: Mapping[str, str], *options: str) -> bool:
        """Plan, and keep a plan that changes something in a file for `apply`; return whether it does.

        Args:
            variable_files: relative to the root module.
            variables: in addition to those of the files.
            options: further ones, such as `-destroy`.

        Raises:
            CommandFailed: Terraform could not plan.
        """
        out = f"-out={self._plan.name}"
        options = (*_variable_options(variable_files, variables), *options)
        try:
            self._run("plan", "-input=false", "-detailed-exitcode", "-compact-warnings", out, *options)
        except CommandFailed as error:
            if error.code != _HAS_CHANGES:
                raise
            return True
        self.forget_plan()
        return self._commands.dry_run

    def changes(self) -> list[Change]:
        """Return what the plan in the file changes."""
        text = self._read("show", "-json", self._plan.name) if not self._commands.dry_run else ""
        found = json.loads(text or "{}").get("resource_changes", [])
        changes = [Change(one["address"], one["type"], tuple(one["change"]["actions"])) for one in found]
        return [change for change in changes if not {"no-op", "read"} & set(change.actions)]

    def apply(self) -> None:
        """Apply the plan in the file."""
        self._run("apply", "-input=false", self._plan.name)
        self.forget_plan()

    def forget_plan(self) -> None:
        """Remove the file: a plan is outdated soon."""
        self._plan.unlink(missing_ok=True)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs; none before the first apply."""
        return parse_outputs(self._read("output", "-json"))

    def resources(self) -> list[tuple[str, str]]:
        """Return address and type of every resource in the state."""
        state = json.loads(self._read("show", "-json") or "{}")
        return list(_resources(state.get("values", {}).get("root_module", {})))

    def replace_in_state(
        self, address: str, id: str, variable_files: Sequence[str], variables: Mapping[str, str]
    ) -> None:
        """Forget the resource at an address, and import another existing one there.

        Args:
            address: of the resource.
            id: the existing resource, as the provider imports it.
            variable_files, variables: see `plan`.
        """
        self._commands.run(*self._argv("state", "rm", address), environment=self._variables)
        self._run("import", "-input=false", *_variable_options(variable_files, variables), address, id)

    def _run(self, command: str, *options: str) -> None:
        self._commands.run(*self._argv(command, "-no-color", *options), environment=self._variables)

    def _read(self, *words: str) -> str:
        return self._commands.read(*self._argv(*words), environment=self._variables)

    def _argv(self, *words: str) -> list[str]:
        return ["terraform", f"-chdir={self._folder}", *words]


def parse_outputs(text: str) -> dict[str, Any]:
    """Return the values in what `terraform output -json` writes."""
    return {name: output["value"] for name, output in json.loads(text or "{}").items()}


def _variable_options(files: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    return [*(f"-var-file={name}" for name in files), *(f"-var={k}={v}" for k, v in variables.items())]


def _resources(module: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for resource in module.get("resources", []):
        if resource["mode"] == "managed":
            yield resource["address"], resource["type"]
    for child in module.get("child_modules", []):
        yield from _resources(child)


def require(commands: Commands) -> None:
    """Check that Terraform is installed, and new enough.

    Raises:
        Refused: it is not.
    """
    try:
        text = commands.read("terraform", "version", "-json", environment={"CHECKPOINT_DISABLE": "1"}, needed=True)
    except (CommandFailed, Failed) as error:
        raise Refused(f"{error}. {_INSTALL}") from error
    version = str(json.loads(text)["terraform_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < _MINIMUM_VERSION:
        raise Refused(f"Terraform {version} is too old. {_INSTALL}")


def summary(changes: Sequence[Change]) -> str:
    """Return how many resources are created, changed, replaced and deleted."""
    names = {"create": "to create", "update": "to change in place", "delete": "to delete"}
    counts = Counter(names.get("+".join(change.actions), "to replace") for change in changes)
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "no resource changes"
