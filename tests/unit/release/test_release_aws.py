"""A release to AWS: built for its registry, brought there by `python -m aws`, and taken back by it."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aws.installation import Account, Installation
from release import aws as target
from release import cli
from release.commands import Finished
from release.state import State

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
NEW, OLD = f"{REGISTRY}/coinrequest:{COMMIT}", f"{REGISTRY}/coinrequest:old"
APPLY_OLD = ["aws apply production --image-tag old --yes", "aws smoke production"]
STEPS = [
    "aws image production --sign-in",
    "make check",
    "make test",
    f"docker build --tag {NEW} --build-arg 'OPTIONS=--extra aws'",
    f"docker push {NEW}",
    f"aws apply production --image-tag {COMMIT} --yes",
    "aws smoke production",
]
Release = Callable[..., int]


@dataclass
class World:
    """The programs; `running` is what the state names."""

    running: str | None = OLD
    failing: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)

    def execute(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        stdin: str | None,
        seconds: float | None,
        show: Callable[[str], None] | None,
    ) -> Finished:
        line = shlex.join(words)
        self.lines.append(line)
        if any(part in line for part in self.failing):
            return Finished(1, error="it says why")
        if " apply " in line:
            self.running = f"{REGISTRY}/coinrequest:{words[words.index('--image-tag') + 1]}"
        if "status production --json" in line:
            return Finished(0, json.dumps({"image": self.running} if self.running else None))
        if " status production" in line:
            return Finished(0, "web  2 of 2 in service\n")
        return Finished(0, COMMIT + "\n" if "rev-parse" in line else "")

    def changes(self) -> list[str]:
        """What changes something, shortened to what a release decides."""
        kept = [line for line in self.lines if not re.search(r"^git | status production", line)]
        kept = [re.sub(r"\S+/python -m ", "", line) for line in kept]
        return [
            re.sub(r" --(directory|file) \S+| --build-arg (VERSION|REVISION)=\S+| /\S+$", "", line) for line in kept
        ]


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    account = Account("123456789012", "example.org", tmp_path)
    monkeypatch.setattr(target, "read_installation", lambda environment: Installation(environment, account))

    def run(world: World, *words: str) -> int:
        options = ["--target", "aws", "--environment", "production", "--state", str(tmp_path)]
        return cli.main([*words, *options], execute=world.execute)

    return run


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path, "aws-production")


def test_the_steps_and_their_order(release: Release, state: State, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert release(world, "deploy") == 0
    assert world.changes() == STEPS
    assert [(entry.image, entry.outcome) for entry in state.history()] == [(NEW, "released")]
    assert f"Released: {NEW} (before: {OLD})" in capsys.readouterr().out


def test_a_dry_run(release: Release, state: State, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert release(world, "deploy", "--dry-run") == 0
    assert world.changes() == []
    shown = re.findall(r"^    \$ (.*?)(?:  # .*)?$", capsys.readouterr().out, re.MULTILINE)
    assert World(lines=shown).changes() == STEPS
    assert state.history() == []


def test_building_alone(release: Release) -> None:
    world = World()
    assert release(world, "build") == 0
    assert world.changes() == STEPS[:5]


def test_an_image_that_is_there(release: Release) -> None:
    world = World()
    assert release(world, "deploy", "--image", NEW, "--timeout", "60") == 0
    assert world.changes() == [f"{STEPS[5]} --timeout 60", STEPS[6]]


@pytest.mark.parametrize("image", [f"coinrequest:{COMMIT}", f"{REGISTRY}/other:1", f"{OLD}@sha256:{'0' * 64}"])
def test_an_image_of_elsewhere_is_refused(release: Release, image: str) -> None:
    world = World()
    assert release(world, "deploy", "--image", image) == 2
    assert world.changes() == []


@pytest.mark.parametrize("step", [f"apply production --image-tag {COMMIT}", "smoke production"])
def test_what_does_not_work_is_taken_back(
    release: Release, state: State, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    class BrokenOnce(World):
        def execute(self, *arguments: object) -> Finished:
            finished = super().execute(*arguments)  # type: ignore[arg-type]
            if finished.code:
                self.failing = set()
            return finished

    world = BrokenOnce(failing={step})
    assert release(world, "deploy") == 1
    assert world.changes()[-2:] == APPLY_OLD
    assert [entry.outcome for entry in state.history()] == [f"failed, rolled back to {OLD}"]
    logs = Path(capsys.readouterr().out.rpartition("Logs of the services: ")[2].splitlines()[0])
    assert "web  2 of 2 in service" in logs.read_text()
    assert logs.stat().st_mode & 0o077 == 0


def test_a_first_release_has_nothing_to_go_back_to(release: Release) -> None:
    assert release(World(running=None, failing={"smoke"}), "deploy") == 3


def test_the_account_cannot_be_reached(release: Release) -> None:
    world = World(failing={"status production --json"})
    assert release(world, "deploy", "--image", NEW) == 2
    assert world.changes() == []


def test_back_by_hand(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert release(world, "rollback") == 2
    assert release(world, "deploy", "--image", OLD) == 0
    assert release(world, "deploy", "--image", NEW) == 0
    world.lines.clear()
    assert release(world, "rollback") == 0
    assert world.changes() == APPLY_OLD
    capsys.readouterr()
    assert release(world, "status") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("web  2 of 2 in service\n")
    assert f"{OLD}  rolled back by hand" in shown


def test_the_environment_has_to_be_named(tmp_path: Path) -> None:
    assert cli.main(["status", "--target", "aws", "--state", str(tmp_path)], execute=World().execute) == 2
