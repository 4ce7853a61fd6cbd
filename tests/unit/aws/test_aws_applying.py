"""A plan is shown, and that very plan is applied; then the installation has to work."""

import sys
from pathlib import Path
from typing import Any

import pytest
from support.fake_terraform import REGISTRY, FakeTerraform

from aws import applying, cli, image, waiting
from release.errors import Failed

OUTPUTS = {
    "image": f"{REGISTRY}/coinrequest:old",
    "groups": {"web": "coinrequest-production-web"},
    "url": "https://jobs.example.org",
    "health_url": "https://jobs.example.org/api/v2/version",
    "sign_in_secret": "coinrequest-production/people",
    "dashboard_url": "https://console.example.org",
}
OPTIONS = "-input=false -detailed-exitcode -compact-warnings -out=production.tfplan"
FILES = "-var-file=environments/production.tfvars -var-file=environments/installation.tfvars"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was waited for; the registry has two images."""
    found: list[Any] = []
    monkeypatch.setattr(image, "tags", lambda _account: ["new", "old"])
    monkeypatch.setattr(waiting, "wait", lambda _output, expected, timeout: found.append((expected, timeout)))
    monkeypatch.setattr(waiting, "known_refreshes", lambda names: frozenset(names))
    return found


def test_each_environment_has_its_own_state(world: FakeTerraform, waits: list[Any], folder: Path) -> None:
    assert cli.main(["plan", "production"], world.execute) == 0
    assert world.ran("init") == [
        "-input=false -reconfigure -lockfile=readonly"
        " -backend-config=backend.hcl -backend-config=key=production.tfstate"
    ]
    used = [environment for environment in world.environments if "TF_DATA_DIR" in environment]
    assert {environment["TF_DATA_DIR"] for environment in used} == {str(folder / ".terraform" / "production")}
    assert {environment["TF_VAR_python"] for environment in used} == {sys.executable}


def test_a_plan_without_changes(world: FakeTerraform, waits: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    world.outputs = OUTPUTS
    assert cli.main(["plan", "production"], world.execute) == 0
    assert world.ran("plan") == [f"{OPTIONS} {FILES} -var=image_tag=old"]
    assert "No changes" in capsys.readouterr().out
    assert world.ran("apply") == []
    assert not list(world.folder.glob("*.tfplan"))


def test_a_plan_with_changes_says_what_is_lost(
    world: FakeTerraform, waits: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    world.planned = [
        ("module.role.aws_iam_role.this", ("create",)),
        ("module.role.aws_autoscaling_group.this", ("update",)),
        ("module.database.aws_db_instance.this", ("delete", "create")),
        ("module.network.aws_vpc.this", ("no-op",)),
    ]
    assert cli.main(["plan", "production", "--image-tag", "new"], world.execute) == 0
    output = capsys.readouterr().out
    assert "1 to change in place, 1 to create, 1 to replace" in output
    assert "THIS DELETES DATA: module.database.aws_db_instance.this" in output
    assert "make apply ENV=production" in output


def test_a_plan_that_fails(world: FakeTerraform, waits: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    world.failing = {" plan "}
    assert cli.main(["plan", "production"], world.execute) == 1
    assert "it says why" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wanted", "outputs", "chosen"), [(None, {}, "new"), (None, OUTPUTS, "old"), ("new", OUTPUTS, "new")]
)
def test_which_image_runs(
    world: FakeTerraform, waits: list[Any], wanted: str | None, outputs: dict[str, Any], chosen: str
) -> None:
    world.outputs = outputs
    assert cli.main(["plan", "production", *(["--image-tag", wanted] if wanted else [])], world.execute) == 0
    assert world.ran("plan")[0].endswith(f"-var=image_tag={chosen}")


def test_an_image_that_is_not_in_the_registry_is_refused(world: FakeTerraform, waits: list[Any]) -> None:
    assert cli.main(["apply", "production", "--image-tag", "other", "--yes"], world.execute) == 2
    assert world.ran("plan") == []


def test_a_plan_before_there_is_any_image(
    world: FakeTerraform, waits: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image, "tags", lambda _account: [])
    assert cli.main(["plan", "production"], world.execute) == 0
    assert "python -m aws image production" in capsys.readouterr().out
    assert world.ran("plan")[0].endswith("image_tag=none-yet")
    assert cli.main(["apply", "production", "--yes"], world.execute) == 2
    assert world.ran("apply") == []


def test_that_very_plan_is_applied_and_waited_for(
    world: FakeTerraform, waits: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    world.outputs, world.planned = OUTPUTS, [("module.role.aws_autoscaling_group.this", ("update",))]
    assert cli.main(["apply", "production", "--image-tag", "new", "--yes", "--timeout", "60"], world.execute) == 0
    assert world.ran("apply") == ["-input=false production.tfplan"]
    names = {"web": "coinrequest-production-web"}
    expected = waiting.Expected(names, OUTPUTS["health_url"], "/coinrequest-production", frozenset({"web"}))
    assert waits == [(expected, 60.0)]
    assert "It works: https://jobs.example.org" in capsys.readouterr().out


def test_what_needs_no_change_is_still_waited_for(world: FakeTerraform, waits: list[Any]) -> None:
    world.outputs = OUTPUTS
    assert cli.main(["apply", "production"], world.execute) == 0
    assert world.ran("apply") == []
    assert len(waits) == 1


@pytest.mark.parametrize("answer", ["", "y", "YES"])
def test_only_yes_is_a_yes(
    world: FakeTerraform, waits: list[Any], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    world.outputs, world.planned = OUTPUTS, [("aws_vpc.this", ("create",))]
    monkeypatch.setattr("builtins.input", lambda _question: answer)
    assert cli.main(["apply", "production"], world.execute) == 2
    assert world.ran("apply") == []
    assert not list(world.folder.glob("*.tfplan"))


def test_a_dry_run_applies_nothing(world: FakeTerraform, waits: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["apply", "production", "--dry-run"], world.execute) == 0
    assert world.ran("plan") == []
    assert world.ran("apply") == []
    assert waits == []
    assert " apply -no-color -input=false production.tfplan" in capsys.readouterr().out


def test_an_installation_that_does_not_work_is_a_failure(
    world: FakeTerraform, waits: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: object) -> None:
        raise Failed("web: 0 of 2")

    world.outputs = OUTPUTS
    monkeypatch.setattr(applying.waiting, "wait", fail)
    assert cli.main(["apply", "production", "--yes"], world.execute) == 1
    assert "FAILED: web: 0 of 2" in capsys.readouterr().out
