"""Terraform, Git and Docker as far as the program can tell."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from release.commands import Finished

ACCOUNT = "123456789012"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REGISTRY = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"


@dataclass
class FakeTerraform:
    """Answers, and notes what was asked.

    Args:
        folder: the root module.
        version: of Terraform.
        outputs: what was applied.
        planned: the resources that a plan changes, with their actions; none: the plan is empty.
        resources: address and type of what is in the state.
        failing: parts of lines that fail.
    """

    folder: Path
    version: str = "1.11.4"
    outputs: dict[str, Any] = field(default_factory=dict)
    planned: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    resources: list[tuple[str, str]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    def execute(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        stdin: str | None,
        seconds: float | None,
        show: Callable[[str], None] | None,
    ) -> Finished:
        line = shlex.join(words).replace(f"-chdir={self.folder}", "HERE").replace("-no-color ", "")
        self.lines.append(line)
        self.environments.append(environment)
        self.given.append(stdin or "")
        if any(part in line for part in self.failing):
            return Finished(1, error="it says why")
        return self._answer(line)

    def ran(self, command: str) -> list[str]:
        """The calls of one of Terraform's commands in the root module, without its beginning."""
        beginning = f"terraform HERE {command} "
        return [line.removeprefix(beginning) for line in self.lines if line.startswith(beginning)]

    def _answer(self, line: str) -> Finished:
        match line.removeprefix("terraform ").removeprefix("HERE ").split():
            case ["version", "-json"]:
                return Finished(0, json.dumps({"terraform_version": self.version}))
            case ["plan", *words]:
                name = next(word.removeprefix("-out=") for word in words if word.startswith("-out="))
                (self.folder / name).write_text("a plan")
                return Finished(2 if self.planned else 0)
            case ["show", "-json", _]:
                changes = [
                    {"address": address, "type": address.split(".")[-2], "change": {"actions": list(actions)}}
                    for address, actions in self.planned
                ]
                return Finished(0, json.dumps({"resource_changes": changes}))
            case ["show", "-json"]:
                found = [{"mode": "managed", "address": address, "type": kind} for address, kind in self.resources]
                return Finished(0, json.dumps({"values": {"root_module": {"child_modules": [{"resources": found}]}}}))
            case ["output", "-json"]:
                return Finished(0, json.dumps({name: {"value": value} for name, value in self.outputs.items()}))
            case ["output", "-raw", "backend"] | [_, "output", "-raw", "backend"]:
                return Finished(0, f'bucket = "coinrequest-terraform-state-{ACCOUNT}"\n')
            case ["git", "-C", _, "rev-parse", "HEAD"]:
                return Finished(0, COMMIT + "\n")
        return Finished(0)
