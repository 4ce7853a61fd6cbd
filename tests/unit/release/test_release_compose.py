"""What a release to a machine does, in which order, and how it goes back."""

import getpass
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fake_world import COMMIT, NEW, OLD, World, image_id, serving

from release import cli, compose, polling, source
from release.commands import Finished
from release.state import State

STEPS_OF_A_RELEASE = [
    "make --directory ROOT check",
    "make --directory ROOT test",
    "docker build --file ROOT/docker/Dockerfile --tag coinrequest:COMMIT"
    f" --build-arg VERSION={source.version()} --build-arg REVISION=COMMIT ROOT",
    "COINREQUEST_IMAGE=coinrequest:COMMIT docker compose up --detach --wait --wait-timeout 300 postgres redis",
    "COINREQUEST_IMAGE=coinrequest:COMMIT docker compose run --rm --no-deps -T migrate",
    "COINREQUEST_IMAGE=coinrequest:COMMIT docker compose up --detach --no-deps api-server agent",
    "COINREQUEST_IMAGE=coinrequest:COMMIT docker compose run --rm --no-deps -T --env COINREQUEST_DEMO_KEEP=no cli demo",
]
STEPS_OF_A_ROLL_BACK = [
    "COINREQUEST_IMAGE=coinrequest:old docker compose up --detach --no-deps api-server agent",
    "COINREQUEST_IMAGE=coinrequest:old docker compose run --rm --no-deps -T --env COINREQUEST_DEMO_KEEP=no cli demo",
]
Release = Callable[..., int]


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    monkeypatch.setattr(polling, "sleep", lambda _seconds: None)

    def run(world: World, *words: str) -> int:
        return cli.main([*words, "--state", str(tmp_path)], execute=world.execute)

    return run


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path, "compose-coinrequest")


def outcomes(state: State) -> list[tuple[str, str]]:
    return [(entry.image, entry.outcome) for entry in state.history()]


def test_the_steps_and_their_order(release: Release, state: State, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(running=serving(OLD))
    assert release(world, "deploy") == 0
    assert world.changes() == STEPS_OF_A_RELEASE
    assert outcomes(state) == [(NEW, "released")]
    output = capsys.readouterr().out
    assert f"Released: {NEW} (before: {OLD})" in output
    for step in ("test", f"build {NEW}", "migrate", f"roll out {NEW}", "smoke test"):
        assert f"==> {step}" in output
    assert output.count(" done after ") == 6


def test_a_dry_run_shows_every_command_and_changes_nothing(
    release: Release, state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(running=serving(OLD), changed=[" M README.md"])
    assert release(world, "deploy", "--dry-run") == 0
    assert world.changes() == []
    assert state.history() == []
    output = capsys.readouterr().out
    shown = [line.strip().removeprefix("$ ") for line in output.splitlines() if line.strip().startswith("$ ")]
    assert World(lines=shown).changes() == STEPS_OF_A_RELEASE
    assert "A release would be refused now." in output
    assert output.endswith("Dry run: nothing was done.\n")


def test_a_tree_with_changes_is_refused_before_anything_is_done(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(running=serving(OLD), changed=[" M README.md", "?? new.py"])
    assert release(world, "deploy") == 2
    assert world.changes() == []
    output = capsys.readouterr().out
    assert "REFUSED" in output
    assert "?? new.py" in output
    assert "git stash" in output


def test_an_image_that_is_built_needs_no_clean_tree_and_no_tests(release: Release) -> None:
    world = World(running=serving(OLD), changed=[" M README.md"])
    assert release(world, "deploy", "--image", NEW) == 0
    assert world.changes() == STEPS_OF_A_RELEASE[3:]


def test_an_image_of_a_registry_is_fetched(release: Release) -> None:
    world = World(running=serving(OLD))
    assert release(world, "deploy", "--image", "registry.example.org/coinrequest:1") == 0
    assert world.changes()[0] == "docker pull registry.example.org/coinrequest:1"


def test_files_of_another_commit_than_the_image_are_told(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert release(World(running=serving(OLD)), "deploy", "--image", OLD) == 0
    assert f"the image is of commit old, the Compose files are of {COMMIT}" in capsys.readouterr().out
    assert release(World(running=serving(OLD)), "deploy", "--image", NEW) == 0
    assert "Note:" not in capsys.readouterr().out
    assert release(World(running=serving(OLD), failing={"rev-parse": 128}), "deploy", "--image", OLD) == 0


def test_tests_that_are_skipped_are_told_in_the_summary(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(running=serving(OLD))
    assert release(world, "deploy", "--skip-tests") == 0
    assert world.changes() == STEPS_OF_A_RELEASE[2:]
    assert re.search(r"^  SKIPPED +test \(--skip-tests\)$", capsys.readouterr().out, re.MULTILINE)


def test_build_tests_builds_and_pushes(release: Release) -> None:
    world = World()
    assert (
        release(world, "build", "--registry", "registry.example.org/team", "--build-arg", "OPTIONS=--extra docker") == 0
    )
    check, test, build, push = world.changes()
    assert [check, test] == STEPS_OF_A_RELEASE[:2]
    assert "--build-arg 'OPTIONS=--extra docker'" in build
    assert push == "docker push registry.example.org/team/coinrequest:COMMIT"


@pytest.mark.parametrize("step", [" check$", " test$", "docker build", "up --detach --wait", " migrate$"])
def test_what_fails_before_the_roll_out_replaces_nothing(
    release: Release, state: State, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(running=serving(OLD), failing={step: 7})
    assert release(world, "deploy") == 1
    assert not [line for line in world.changes() if "up --detach --no-deps" in line]
    assert state.history() == []
    output = capsys.readouterr().out
    assert "ended with exit code 7:\n    it says why" in output
    assert "Nothing that runs was replaced." in output


def test_a_version_that_does_not_stay_up_is_rolled_back(
    release: Release, state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(running=serving(OLD), broken={NEW})
    assert release(world, "deploy") == 1
    assert world.changes() == [*STEPS_OF_A_RELEASE[:6], *STEPS_OF_A_ROLL_BACK]
    assert outcomes(state) == [(NEW, f"failed, rolled back to {OLD}")]
    output = capsys.readouterr().out
    assert "THE RELEASE FAILED: agent ends again and again, with exit code 1; api-server ends" in output
    assert f"{OLD} runs again and works" in output
    logs = Path(output.rpartition("Logs of the services: ")[2].splitlines()[0])
    assert logs.read_text() == "api-server | oh no\n"
    assert logs.stat().st_mode & 0o077 == 0


def test_a_version_that_does_not_do_its_work_is_rolled_back(release: Release) -> None:
    world = World(running=serving(OLD), failing={f"={NEW} .* cli demo": 1})
    assert release(world, "deploy") == 1
    assert world.changes() == [*STEPS_OF_A_RELEASE, *STEPS_OF_A_ROLL_BACK]


@pytest.mark.parametrize("step", ["up --detach --no-deps", "cli demo"])
def test_a_release_that_is_interrupted_is_rolled_back(
    release: Release, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(running=serving(OLD), interrupting={f"={NEW} .* {step}"})
    assert release(world, "deploy") == 1
    assert world.changes()[-2:] == STEPS_OF_A_ROLL_BACK
    assert "THE RELEASE FAILED: it was interrupted" in capsys.readouterr().out


def test_what_restarted_while_compose_still_started_the_others_counts(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(running=serving(OLD), broken={NEW}, looks=5)
    assert release(world, "deploy") == 1
    output = capsys.readouterr().out
    assert "ends again and again" in output
    assert "waiting for" not in output, "it is seen at the first look"


def test_the_exit_code_is_that_of_an_end_and_not_of_a_container_that_was_started_again(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(running=serving(OLD), broken={NEW}, looks=5, up_until=9)
    assert release(world, "deploy") == 1
    assert "ends again and again, with exit code 1" in capsys.readouterr().out


def test_what_stays_after_it_ended_again_and_again_is_not_trusted(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    class Staying(World):
        def _container(self, name: str) -> dict[str, Any]:
            found = super()._container(name)
            found["State"]["Health"] = {"Status": "healthy"}
            return found

    world = Staying(running=serving(OLD), broken={NEW}, looks=5, up_until=99)
    assert release(world, "deploy") == 1
    assert "ended again and again before it stayed" in capsys.readouterr().out


def test_a_fault_that_nobody_foresaw_is_rolled_back_too(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    class Astonishing(World):
        def execute(self, *arguments: Any) -> Finished:
            finished = super().execute(*arguments)
            if "docker inspect" in self.lines[-1] and self.running["agent"][0] == NEW:
                return Finished(0, "no JSON")
            return finished

    world = Astonishing(running=serving(OLD))
    assert release(world, "deploy") == 1
    assert world.changes()[-2:] == STEPS_OF_A_ROLL_BACK
    assert "THE RELEASE FAILED: JSONDecodeError: " in capsys.readouterr().out


def test_a_roll_back_that_fails_too_is_said_aloud(
    release: Release, state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(running=serving(OLD), broken={NEW}, failing={f"={OLD} .* cli demo": 1})
    assert release(world, "deploy") == 3
    assert outcomes(state) == [(NEW, "failed, and so did the rollback")]
    assert f"THE ROLLBACK TO {OLD} FAILED TOO" in capsys.readouterr().out


def test_a_first_release_has_nothing_to_go_back_to(
    release: Release, state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(broken={NEW})
    assert release(world, "deploy") == 3
    assert world.changes() == STEPS_OF_A_RELEASE[:6]
    assert "Nothing ran before, so nothing was rolled back" in capsys.readouterr().out


def test_every_service_keeps_its_number_of_containers(release: Release) -> None:
    world = World(running={**serving(OLD), "agent": (OLD, 3)}, failing={f"={NEW} .* cli demo": 1})
    assert release(world, "deploy", "--skip-tests") == 1
    assert [line for line in world.changes() if "--no-deps api" in line] == []
    assert len([line for line in world.changes() if "--no-deps --scale agent=3 api-server agent" in line]) == 2
    assert world.running["agent"] == (OLD, 3)


def test_a_service_that_is_new_does_not_survive_a_roll_back(release: Release) -> None:
    world = World(running=serving(OLD, ["api-server"]), failing={f"={NEW} .* cli demo": 1})
    assert release(world, "deploy") == 1
    assert "agent" not in world.running
    assert world.running["api-server"] == (OLD, 1)


def test_what_ran_is_kept_although_its_name_means_another_image_by_now(release: Release) -> None:
    world = World(running=serving("coinrequest:development"), failing={f"={NEW} .* cli demo": 1})
    assert release(world, "deploy", "--skip-tests") == 1
    kept = f"coinrequest:{image_id('coinrequest:development').removeprefix('sha256:')[:12]}"
    assert f"docker tag {image_id('coinrequest:development')} {kept}" in world.changes()
    assert world.running["api-server"] == (kept, 1)


def test_two_releases_at_a_time_are_refused(release: Release, state: State, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(running=serving(OLD))
    with state.lock():
        assert release(world, "deploy") == 2
    assert world.changes() == []
    assert "Another release is under way: process " in capsys.readouterr().out
    assert release(world, "deploy") == 0


def test_going_back_by_hand_takes_the_release_before(release: Release, state: State) -> None:
    world = World(running=serving(OLD))
    for image, outcome in ((OLD, "released"), ("coinrequest:bad", "failed, rolled back"), (NEW, "released")):
        state.add(image, outcome)
    world.running = serving(NEW)
    assert release(world, "rollback") == 0
    assert world.changes() == STEPS_OF_A_ROLL_BACK
    assert outcomes(state)[-1] == (OLD, "rolled back by hand")


def test_going_back_by_hand_needs_a_release_before(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert release(World(running=serving(NEW)), "rollback") == 2
    assert "--image coinrequest:COMMIT" in capsys.readouterr().out


def test_status_tells_what_runs_and_what_ran(
    release: Release, state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    state.add(OLD, "released")
    world = World(running=serving(NEW))
    assert release(world, "status") == 0
    assert world.changes() == []
    output = capsys.readouterr().out
    assert f"api-server           healthy    {NEW}" in output
    assert f"{OLD}  released (by {getpass.getuser()})" in output


def test_files_without_the_variable_are_refused(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "IMAGE_VARIABLE", "ANOTHER_VARIABLE")
    assert release(World(running=serving(OLD)), "deploy") == 2
