"""Shell scripts, YAML files, the Dockerfile and the Compose files, by the checkers that the field uses."""

import subprocess
from pathlib import Path

import pytest
from support.checkers import run_checker
from support.compose import ROOT

pytestmark = pytest.mark.containers

YAML_RULES = (
    "{extends: default, ignore: [.venv, node_modules], rules: {document-start: disable, line-length: {max: 150},"
    " braces: {max-spaces-inside: 1}, comments: {min-spaces-from-content: 1}, truthy: {check-keys: false},"
    " indentation: {indent-sequences: whatever}}}"
)


def tracked() -> list[Path]:
    """Return the files that Git knows, or would add."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no Git checkout, so nothing is linted")
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def is_shell_script(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(100)
    return first.startswith((b"#!/bin/sh", b"#!/usr/bin/env bash", b"#!/bin/bash", b"# shellcheck shell="))


def check(program: str, *words: str | Path) -> None:
    """Run a checker; it must find nothing."""
    answer = run_checker(program, *words)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_shell_scripts() -> None:
    scripts = [path for path in tracked() if is_shell_script(path)]
    assert {"run", "setup", "run-process", "needs-profile"} <= {path.name for path in scripts}
    check("shellcheck", "--severity", "warning", *scripts)


def test_yaml_files() -> None:
    check("yamllint", "--strict", "-d", YAML_RULES, *(path for path in tracked() if path.suffix in (".yaml", ".yml")))


def test_dockerfile() -> None:
    check("hadolint", "docker/Dockerfile")


def test_compose_file() -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yaml")


def test_forms_for_issues() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").iterdir())
    assert [form.name for form in forms] == ["bug.yaml", "feature.yaml"]
    check("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *forms)
