"""Runs Terraform, each environment with a folder of data and a state of its own."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.commands import CommandFailed, Commands
from release.errors import Failed, Refused

_OLDEST = (1, 11)
_CHANGES = 2
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
        environment: names the state and the folder of data.
    """

    def __init__(self, commands: Commands, folder: Path, environment: str) -> None:
        self._commands = commands
        self._folder = folder
        self._environment = environment
        self._plan = folder / f"{environment}.tfplan"
        self._variables = {
            "TF_DATA_DIR": str(folder / ".terraform" / environment),
            "TF_IN_AUTOMATION": "1",
            # With this Python Terraform sets Redis' token (aws/redis_token.py).
            "TF_VAR_python": sys.executable,
        }

    def init(self) -> None:
        """Fetch the locked provider, and connect with the environment's state."""
        backend = ("-backend-config=backend.hcl", f"-backend-config=key={self._environment}.tfstate")
        self._run("init", "-input=false", "-reconfigure", "-lockfile=readonly", *backend)

    def plan(self, variable_files: Sequence[str], variables: Mapping[str, str], *options: str) -> bool:
        """Plan, and keep the plan in a file for `apply`; return whether anything changes.

        Args:
            variable_files: as seen from the root module.
            variables: beside those of the files.
            options: further ones, such as `-destroy`.

        Raises:
            CommandFailed: there is something wrong with it.
        """
        out = f"-out={self._plan.name}"
        words = [*_options(variable_files, variables), *options]
        try:
            self._run("plan", "-input=false", "-detailed-exitcode", "-compact-warnings", out, *words)
        except CommandFailed as error:
            if error.code != _CHANGES:
                raise
            return True
        return self._commands.dry_run

    def changes(self) -> list[Change]:
        """Return what the plan in the file changes."""
        text = self._read("show", "-json", self._plan.name) if not self._commands.dry_run else ""
        found = json.loads(text or "{}").get("resource_changes", [])
        changes = [Change(one["address"], one["type"], tuple(one["change"]["actions"])) for one in found]
        return [change for change in changes if not {"no-op", "read"} & set(change.actions)]

    def apply(self) -> None:
        """Apply the very plan that is in the file."""
        self._run("apply", "-input=false", self._plan.name)
        self.forget_plan()

    def forget_plan(self) -> None:
        """Remove the plan: it is of this moment."""
        self._plan.unlink(missing_ok=True)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs; nothing where nothing was applied yet."""
        found = json.loads(self._read("output", "-json") or "{}")
        return {name: output["value"] for name, output in found.items()}

    def resources(self) -> list[tuple[str, str]]:
        """Return address and type of every resource in the state."""
        state = json.loads(self._read("show", "-json") or "{}")
        return list(_resources(state.get("values", {}).get("root_module", {})))

    def take_over(self, address: str, id: str, variable_files: Sequence[str], variables: Mapping[str, str]) -> None:
        """Let an address mean another thing than before, which exists already.

        Args:
            address: of the resource.
            id: what the provider imports.
            variable_files, variables: see `plan`.
        """
        self._commands.run(*self._words("state", "rm", address), environment=self._variables)
        self._run("import", "-input=false", *_options(variable_files, variables), address, id)

    def _run(self, command: str, *words: str) -> None:
        self._commands.run(*self._words(command, "-no-color", *words), environment=self._variables)

    def _read(self, *words: str) -> str:
        return self._commands.read(*self._words(*words), environment=self._variables)

    def _words(self, *words: str) -> list[str]:
        return ["terraform", f"-chdir={self._folder}", *words]


def _options(variable_files: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    return [*(f"-var-file={name}" for name in variable_files), *(f"-var={k}={v}" for k, v in variables.items())]


def _resources(module: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for resource in module.get("resources", []):
        if resource["mode"] == "managed":
            yield resource["address"], resource["type"]
    for child in module.get("child_modules", []):
        yield from _resources(child)


def require(commands: Commands) -> None:
    """See that Terraform is installed, and new enough.

    Raises:
        Refused: it is not.
    """
    try:
        text = commands.read("terraform", "version", "-json", environment={"CHECKPOINT_DISABLE": "1"}, needed=True)
    except (CommandFailed, Failed) as error:
        raise Refused(f"{error}. {_INSTALL}") from error
    version = str(json.loads(text)["terraform_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise Refused(f"Terraform {version} is too old. {_INSTALL}")


def summary(changes: Sequence[Change]) -> str:
    """Return how many resources are created, changed, replaced and deleted."""
    words = {"create": "to create", "update": "to change in place", "delete": "to delete"}
    counts = Counter(words.get("+".join(change.actions), "to replace") for change in changes)
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "no resource changes"
