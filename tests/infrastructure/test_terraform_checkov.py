"""What checkov's policies say about `terraform/`; a policy that is not kept has its reason beside the resource."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.checkov_command import checkov
from support.terraform import TERRAFORM

pytestmark = pytest.mark.aws

_SKIP = re.compile(r"#\s*checkov:skip=(?P<check>[A-Z0-9_]+)(?P<reason>:.*)?$", re.M)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    answer = subprocess.run(
        [*checkov(), "--framework", "terraform", "--skip-download", "--output", "json", "--directory", str(TERRAFORM)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_policies_are_kept(report: dict[str, Any]) -> None:
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 150
    failed = {(one["check_id"], one["resource"], one["check_name"]) for one in report["results"]["failed_checks"]}
    assert failed == set()


def test_every_skip_is_of_use(report: dict[str, Any]) -> None:
    used = {(one["check_id"], Path(one["file_path"]).name) for one in report["results"]["skipped_checks"]}
    for path in sorted(TERRAFORM.rglob("*.tf")):
        if ".terraform" not in path.parts:
            for found in _SKIP.finditer(path.read_text()):
                assert (found["check"], path.name) in used, f"{path.name} skips {found['check']}, which would pass"


def test_every_skip_has_a_reason() -> None:
    skips = [
        (path.relative_to(TERRAFORM), found)
        for path in sorted(TERRAFORM.rglob("*.tf"))
        if ".terraform" not in path.parts
        for found in _SKIP.finditer(path.read_text())
    ]
    assert skips
    for path, found in skips:
        assert len((found["reason"] or "").removeprefix(":").split()) >= 4, f"{path}: why is {found['check']} skipped?"


def test_nothing_softens_the_policies() -> None:
    for name in (".checkov.yaml", ".checkov.yml", ".checkov.baseline"):
        assert not list(TERRAFORM.rglob(name))
        assert not (TERRAFORM.parent / name).exists()
