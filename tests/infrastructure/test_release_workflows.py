"""The workflows of GitHub Actions: the same steps as by hand, pinned, and with few rights."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.checkers import run_checker
from support.compose import ROOT

from release import cli
from release.commands import Finished

pytestmark = pytest.mark.containers

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
NAMES = {path.stem: path for path in WORKFLOWS}


def workflow(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(NAMES[name].read_text())
    return document


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in NAMES:
        for job, description in workflow(name)["jobs"].items():
            yield f"{name}/{job}", description


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        for step in job.get("steps", []):
            yield name, step


def test_the_three_workflows_are_there() -> None:
    assert set(NAMES) == {"ci", "deploy", "release"}


def test_they_fit_the_schema() -> None:
    answer = run_checker("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    assert answer.returncode == 0, answer.stdout


def test_the_shell_in_them_is_sound() -> None:
    for name, step in steps():
        if "run" in step:
            answer = run_checker("shellcheck", "--shell", "bash", "--exclude", "SC2154", "-", stdin=step["run"])
            assert answer.returncode == 0, f"{name}:\n{answer.stdout}"


def test_actions_are_pinned_to_a_commit() -> None:
    used = [step["uses"] for _, step in steps() if "uses" in step] + [job["uses"] for _, job in jobs() if "uses" in job]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}|\./\.github/workflows/[a-z]+\.yaml", action), action


def test_no_text_from_outside_becomes_a_part_of_a_script() -> None:
    for name, step in steps():
        assert "${{" not in step.get("run", ""), f"{name}: hand it over in the environment"


def test_no_job_has_more_rights_than_it_needs() -> None:
    assert {name: workflow(name)["permissions"] for name in NAMES} == {
        "ci": {"contents": "read"},
        "deploy": {},
        "release": {},
    }
    asked = {name: job["permissions"] for name, job in jobs() if "permissions" in job}
    assert asked == {
        "release/build": {"contents": "read", "packages": "write"},
        "release/staging": {"contents": "read", "id-token": "write"},
        "release/production": {"contents": "read", "id-token": "write"},
        "deploy/deploy": {"contents": "read", "id-token": "write"},
    }
    for _, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_no_secret_is_stored_and_none_is_an_argument() -> None:
    for path in WORKFLOWS:
        text = path.read_text()
        assert "secrets." not in text, path
        assert "secrets: inherit" not in text, path
        assert not re.search(r"(?:-p|--password)[ =]", text), path
    assert "--password-stdin" in NAMES["release"].read_text()


def test_every_job_ends_by_itself_and_none_runs_twice_at_a_time() -> None:
    for name, job in jobs():
        if "runs-on" in job:
            assert job["timeout-minutes"] <= 90, name
            assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"]), f"{name}: latest is no version"
    assert workflow("release")["concurrency"]["cancel-in-progress"] is False
    assert workflow("deploy")["jobs"]["deploy"]["concurrency"]["cancel-in-progress"] is False


def test_production_comes_after_staging_with_the_same_image() -> None:
    found = workflow("release")["jobs"]
    assert found["staging"]["needs"] == "build"
    assert found["production"]["needs"] == ["build", "staging"]
    assert found["staging"]["uses"] == found["production"]["uses"] == "./.github/workflows/deploy.yaml"
    image = "${{ needs.build.outputs.image }}"
    assert found["staging"]["with"] == {"environment": "staging", "image": image}
    assert found["production"]["with"] == {"environment": "production", "image": image}
    # An environment is what a repository's rules ask an approval for.
    assert workflow("deploy")["jobs"]["deploy"]["environment"] == "${{ inputs.environment }}"


def test_continuous_integration_is_the_script_of_every_machine() -> None:
    assert [step["run"] for name, step in steps() if name == "ci/check-and-test" and "run" in step] == [".ci/run"]


def test_the_unit_tests_run_on_every_python_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: 3."
    named = [line.removeprefix(prefix) for line in project["classifiers"] if line.startswith(prefix)]
    assert workflow("ci")["jobs"]["unit"]["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in named]
    assert project["requires-python"] == f">=3.{named[0]},<3.{int(named[-1]) + 1}"


def releases() -> list[str]:
    """What `make release` would run for each of its calls in the workflows."""
    calls = [line.strip() for _, step in steps() for line in step.get("run", "").splitlines() if "make release" in line]
    variables = {"registry": "registry.example.org/team", "OVERLAY": "staging", "IMAGE": "coinrequest:one"}
    return [
        subprocess.run(
            ["bash", "-c", call.replace("make", "make --no-print-directory --dry-run", 1)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for call in calls
    ]


def test_they_release_with_the_command_of_every_machine() -> None:
    assert releases() == [
        ".venv/bin/python -m release deploy --target kubernetes --overlay staging --image coinrequest:one",
        "python3 -m release build --registry registry.example.org/team",
    ]


def test_together_they_do_the_steps_of_a_release_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def execute(words: Any, environment: Any, stdin: Any, seconds: Any, show: Any) -> Finished:
        if words[1] == "kustomize":
            return Finished(0, "kind: Deployment\nmetadata:\n  name: agent\n  namespace: coinrequest\n")
        return Finished(0, "abc\n" if words[-1] == "HEAD" else "")

    def shown(words: list[str]) -> list[str]:
        assert cli.main([*words, "--dry-run", "--state", str(tmp_path)], execute=execute) == 0
        return re.findall(r"^==> (\w+)", capsys.readouterr().out, re.MULTILINE)

    deploy, build = (line.split()[3:] for line in releases())
    by_hand = shown([*deploy[:-2], "--registry", "registry.example.org/team"])
    assert by_hand == ["look", "test", "build", "push", "migrate", "roll", "smoke"]
    # With a given image, one line says that test and build are skipped, and nothing is to be fetched.
    together = shown(build) + [step for step in shown(deploy) if step not in ("look", "test", "fetch")]
    assert together == by_hand[1:]
