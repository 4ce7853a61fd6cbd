"""Compose files as Compose reads them; no engine is needed, and mostly not even Compose."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.checkers import run_checker
from support.compose import ComposeStack

Document = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Leaves out what a Compose file takes away by `!reset`."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        node.value = [(key, value) for key, value in node.value if value.tag != "!reset"]
        return super().construct_mapping(node, deep)


def read(path: Path) -> Document:
    """Return what stands in one file."""
    found: Document = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a safe loader
    return found


def config(files: Sequence[str], settings: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `docker compose config` over some files of the repository, with every profile; skip where there is none."""
    try:
        problem = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    except OSError:
        problem = 1
    if problem:
        pytest.skip("there is no Compose plugin, so the merged Compose files were NOT checked")
    stack = ComposeStack("coinrequest", files, settings)
    return stack.compose("--profile", "*", "config", "--format", "json", check=False)


def merged(files: Sequence[str], settings: Mapping[str, str]) -> Document:
    """Return what Compose makes of some files."""
    answer = config(files, settings)
    assert answer.returncode == 0, answer.stderr
    assert "variable is not set" not in answer.stderr, answer.stderr
    found: Document = json.loads(answer.stdout)
    return found


def check_schema(document: Document, folder: Path) -> None:
    """Compare a document with the Compose specification; fail with what is wrong."""
    path = folder / "schema.json"
    path.write_text(json.dumps(document))
    answer = run_checker("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(path))
    assert answer.returncode == 0, answer.stdout + answer.stderr


def findings(document: Document, folder: Path) -> set[tuple[str, str, str]]:
    """Return what compose-lint finds: severity, rule and service."""
    path = folder / "compose.yaml"
    path.write_text(yaml.safe_dump(document))
    answer = run_checker("compose-lint", "check", "--no-env", "--no-merge-overrides", "--format", "json", str(path))
    report = json.loads(answer.stdout)
    assert not report["errors"], report["errors"]
    return {(one["severity"], one["rule_id"], one["service"]) for one in report["findings"]}
