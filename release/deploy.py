"""The steps of a release, in their order."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from release import image as images
from release import source
from release.commands import Commands
from release.errors import ReleaseError
from release.target import Target

RELEASED, ROLLED_BACK, BROKEN = 0, 1, 3


@dataclass(frozen=True)
class Build:
    """Where the image comes from.

    Args:
        image: one that is already built; None: the commit that is checked out is tested and built.
        registry: where a built one is pushed to; None: it stays on this machine.
        skip_tests: build without testing.
        arguments: further build arguments, `NAME=VALUE`.
    """

    image: str | None = None
    registry: str | None = None
    skip_tests: bool = False
    arguments: tuple[str, ...] = ()


def build(commands: Commands, wanted: Build) -> str:
    """Test the commit, build its image and push it; or do nothing where an image is given. Return the image's name."""
    output = commands.output
    if wanted.image:
        output.skip("test and build (--image)")
        return wanted.image
    commit = source.commit(commands)
    image = images.name_of(commit, wanted.registry)
    # Now, and again after the tests: somebody may work on the files meanwhile.
    source.require_clean(commands)
    if wanted.skip_tests:
        output.skip("test (--skip-tests)")
    else:
        with output.step("test"):
            images.test(commands)
    with output.step(f"build {image}"):
        images.build(commands, image, commit, wanted.arguments)
    if wanted.registry:
        with output.step("push"):
            images.push(commands, image)
    return image


def deploy(commands: Commands, target: Target, wanted: Build, service_logs: Path) -> int:
    """Release to a target; return the exit code.

    Args:
        commands: runs the programs.
        target: where to.
        wanted: where the image comes from.
        service_logs: gets what the services logged, if it fails.

    Returns:
        0: released; 1: rolled back, and what ran before works; 3: rolled back, and it does not.

    Raises:
        ReleaseError: it failed before anything was replaced: what ran before still does.
    """
    output = commands.output
    with target.lock():
        with output.step(f"look at what runs: {target.name}"):
            target.remember()
        image = build(commands, wanted)
        if wanted.image:
            with output.step(f"fetch {image}"):
                target.fetch(image)
        with output.step("migrate"):
            # Again: while the tests ran, somebody may have started another agent.
            before = target.remember()
            target.migrate(image)
        try:
            with output.step(f"roll out {image}"):
                target.roll_out(image)
            with output.step("smoke test"):
                target.smoke_test(image)
        except (Exception, KeyboardInterrupt) as error:
            # Whatever it is: what ran before is better than what is half there.
            return _roll_back(commands, target, image, before, _problem(error), service_logs)
        target.record(image, "released")
    output.summary()
    output.line(_end(commands, f"Released: {image}" + (f" (before: {before})" if before else "")))
    return RELEASED


def undo(commands: Commands, target: Target, service_logs: Path) -> int:
    """Return to the release before, by hand; return the exit code as `deploy` does."""
    output = commands.output
    with target.lock():
        with output.step(f"look at what runs: {target.name}"):
            now = target.remember()
            before = target.previous()
        try:
            with output.step(f"roll back to {before}"):
                target.return_to(before)
            with output.step(f"smoke test of {before}"):
                target.smoke_test(before)
        except (Exception, KeyboardInterrupt) as error:
            _save_logs(commands, target, service_logs)
            output.summary()
            output.line(f"THE ROLL-BACK FAILED: {_problem(error)}")
            output.line(f"{now} ran before it: deploy --image {now}. Logs of the services: {service_logs}")
            return BROKEN
        target.record(before, "rolled back by hand")
    output.summary()
    output.line(_end(commands, f"Rolled back: {before} (before: {now})"))
    return RELEASED


def _roll_back(
    commands: Commands, target: Target, image: str, before: str | None, problem: str, service_logs: Path
) -> int:
    output = commands.output
    output.line(f"    {problem}")
    _save_logs(commands, target, service_logs)
    if before is None:
        target.record(image, "failed, nothing to roll back to")
        output.summary()
        output.line(f"THE RELEASE FAILED: {problem}")
        output.line("Nothing ran before, so nothing was rolled back: what was started is still there to be looked at.")
        output.line(f"Logs of the services: {service_logs}")
        return BROKEN
    try:
        with output.step(f"roll back to {before}"):
            target.roll_back()
        with output.step(f"smoke test of {before}"):
            target.smoke_test(before)
    except (Exception, KeyboardInterrupt) as error:
        _try(commands, lambda: target.record(image, "failed, and so did the roll-back"))
        output.summary()
        output.line(f"THE RELEASE FAILED: {problem}")
        output.line(f"THE ROLL-BACK TO {before} FAILED TOO: {_problem(error)}")
        output.line(f"Somebody has to look at it now. Logs of the services: {service_logs}")
        return BROKEN
    target.record(image, f"failed, rolled back to {before}")
    output.summary()
    output.line(f"THE RELEASE FAILED: {problem}")
    output.line(f"Rolled back: {before} runs again and works. Logs of the services: {service_logs}")
    return ROLLED_BACK


def _save_logs(commands: Commands, target: Target, path: Path) -> None:
    _try(commands, lambda: target.save_logs(path))


def _try(commands: Commands, action: Callable[[], None]) -> None:
    """Do what helps and must not stand in the way of a roll-back."""
    try:
        action()
    except (ReleaseError, OSError) as error:
        commands.output.line(f"    {error}")


def _problem(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    return str(error) if isinstance(error, ReleaseError) else f"{type(error).__name__}: {error}"


def _end(commands: Commands, text: str) -> str:
    return "Dry run: nothing was done." if commands.dry_run else text
