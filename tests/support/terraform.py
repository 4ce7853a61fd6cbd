"""Terraform without the internet: in a copy of the repository's own text, with the provider of a local mirror."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.compose import ROOT

TERRAFORM = ROOT / "terraform"
ENVIRONMENTS = ("development", "staging", "production")

_MIRRORS = (
    Path.home() / ".terraform.d/plugins",
    *map(Path, ("/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins")),
)
# What a person's own runs leave beside the text.
_LEFT = shutil.ignore_patterns(
    ".terraform", "*.tfstate*", "*_override.tf", "backend.hcl", "installation.tfvars", "*.plan"
)


@dataclass(frozen=True)
class Terraform:
    """Terraform, run in one folder.

    Attributes:
        folder: where the configuration is.
        variables: of the environment, beside those of this process that are not of AWS.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, timeout: float = 1200) -> "subprocess.CompletedProcess[str]":
        """Return what a command ended with and said; both outputs in one."""
        return subprocess.run(
            [program(), f"-chdir={self.folder}", words[0], "-no-color", *words[1:]],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def must(self, *words: str, timeout: float = 1200) -> str:
        """Return what a command said that may not fail."""
        done = self.run(*words, timeout=timeout)
        assert done.returncode == 0, f"terraform {' '.join(words)}: {done.stdout[-8000:]}"
        return done.stdout

    def json(self, *words: str) -> Any:
        """Return what a command says in JSON."""
        return json.loads(self.must(words[0], "-json", *words[1:]))

    def init(self, *words: str) -> None:
        """Install the provider, from the mirror where there is one; skip the test where it cannot be had."""
        found = mirror()
        plugins = [f"-plugin-dir={found}"] if found else []
        done = self.run("init", "-lockfile=readonly", *plugins, *words)
        if "Failed to query available provider packages" in done.stdout:
            pytest.skip(f"THE AWS PROVIDER CANNOT BE INSTALLED, Terraform was not run: {done.stdout[-500:]}")
        assert done.returncode == 0, done.stdout

    def _environment(self) -> dict[str, str]:
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
        named = variables.get("TF_CLI_CONFIG_FILE")
        if named and not Path(named).exists():
            del variables["TF_CLI_CONFIG_FILE"]
        return {
            **variables,
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.variables,
        }


def program() -> str:
    """Return the program; skip the test where there is none."""
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("TERRAFORM IS NOT INSTALLED: nothing was planned or applied, only the text was checked")
    return found


def mirror() -> Path | None:
    """Return the local mirror of the provider, where there is one; None: it comes from the registry."""
    named = os.environ.get("TF_PLUGIN_DIR")
    candidates = [*([Path(named)] if named else []), *_MIRRORS, *sorted(Path("/opt").glob("*/"))]
    return next((path for path in candidates if (path / "registry.terraform.io/hashicorp/aws").is_dir()), None)


def copy_to(folder: Path) -> Path:
    """Copy what Terraform reads and runs, so that the working tree stays as it is; return the copy of `terraform/`."""
    for name in ("terraform", "aws", "release"):
        shutil.copytree(ROOT / name, folder / name, ignore=_LEFT)
    return folder / "terraform"


def arguments(environment: str, **values: str) -> list[str]:
    """Return the options that name the variables of an environment, as `make` gives them, and others."""
    files = (f"environments/{environment}.tfvars", "environments/installation.example.tfvars")
    named = {"image_tag": "0.1.0-abcdef1", "python": sys.executable, **values}
    return [*(f"-var-file={file}" for file in files), *(f"-var={name}={value}" for name, value in named.items())]


def default_of(variable: str) -> str:
    """Return the default of a variable of the root that is one string."""
    text = (TERRAFORM / "variables.tf").read_text()
    found = re.search(rf'^variable "{variable}" {{.*?^  default\s*=\s*"([^"]*)"', text, re.M | re.S)
    assert found is not None, variable
    return found[1]
