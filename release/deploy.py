"""The steps of a release, in their order."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from release import image as images
from release import source
from release.commands import Commands
from release.errors import ReleaseError
from release.state import RELEASED, ROLLED_BACK_BY_HAND
from release.target import Target

# Exit codes.
DONE, ROLLED_BACK, BROKEN = 0, 1, 3


@dataclass(frozen=True)
class BuildOptions:
    """Where the image comes from.

    Args:
        image: one that is already built; None: the checked-out commit is tested and built.
        registry: where a built image is pushed; None: it stays on this machine.
        skip_tests: build without testing.
        arguments: further build arguments, `NAME=VALUE`.
    """

    image: str | None = None
    registry: str | None = None
    skip_tests: bool = False
    arguments: tuple[str, ...] = ()


def build(commands: Commands, options: BuildOptions) -> str:
    """Test the commit, build and push its image, unless an image is given. Return the image's name."""
    output = commands.output
    if options.image:
        output.skip("test and build (--image)")
        return options.image
    commit = source.commit(commands)
    image = images.name_of(commit, options.registry)
    # Checked now, and again after the tests: somebody may edit files meanwhile.
    source.require_clean(commands)
    if options.skip_tests:
        output.skip("test (--skip-tests)")
    else:
        with output.step("test"):
            images.test(commands)
    with output.step(f"build {image}"):
        images.build(commands, image, commit, options.arguments)
    if options.registry:
        with output.step("push"):
            images.push(commands, image)
    return image


def deploy(commands: Commands, target: Target, options: BuildOptions, service_logs: Path) -> int:
    """Release to a target; return the exit code.

    Args:
        commands: runs the programs.
        target: where to release to.
        options: where the image comes from.
        service_logs: the file for the logs of the services after a failure.

    Returns:
        0: released; 1: rolled back, and the previous version works; 3: rolled back, and it does not work.

    Raises:
        ReleaseError: it failed before anything was replaced; the previous version still runs.
    """
    output = commands.output
    with target.lock():
        with output.step(f"look at what runs: {target.name}"):
            target.remember()
        image = build(commands, options)
        if options.image:
            with output.step(f"fetch {image}"):
                target.fetch(image)
        with output.step("migrate"):
            # Again: somebody may have started another agent during the tests.
            before = target.remember()
            target.migrate(image)
        try:
            with output.step(f"roll out {image}"):
                target.roll_out(image)
            with output.step("smoke test"):
                target.smoke_test(image)
        except (Exception, KeyboardInterrupt) as error:
            # Whatever the error is: the previous version is better than half a release.
            return _roll_back(commands, target, image, before, _problem(error), service_logs)
        target.record(image, RELEASED)
    output.summary()
    output.line(_result(commands, f"Released: {image}" + (f" (before: {before})" if before else "")))
    return DONE


def undo(commands: Commands, target: Target, service_logs: Path) -> int:
    """Return to the previous release, by hand; return the exit code as `deploy` does."""
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
            _attempt(commands, lambda: target.save_logs(service_logs))
            output.summary()
            output.line(f"THE ROLLBACK FAILED: {_problem(error)}")
            output.line(f"{now} ran before it: deploy --image {now}. Logs of the services: {service_logs}")
            return BROKEN
        target.record(before, ROLLED_BACK_BY_HAND)
    output.summary()
    output.line(_result(commands, f"Rolled back: {before} (before: {now})"))
    return DONE


def _roll_back(
    commands: Commands, target: Target, image: str, before: str | None, problem: str, service_logs: Path
) -> int:
    output = commands.output
    output.line(f"    {problem}")
    _attempt(commands, lambda: target.save_logs(service_logs))
    if before is None:
        target.record(image, "failed, nothing to roll back to")
        output.summary()
        output.line(f"THE RELEASE FAILED: {problem}")
        output.line("Nothing ran before, so nothing was rolled back. What was started still runs, for you to look at.")
        output.line(f"Logs of the services: {service_logs}")
        return BROKEN
    try:
        with output.step(f"roll back to {before}"):
            target.roll_back()
        with output.step(f"smoke test of {before}"):
            target.smoke_test(before)
    except (Exception, KeyboardInterrupt) as error:
        _attempt(commands, lambda: target.record(image, "failed, and so did the rollback"))
        output.summary()
        output.line(f"THE RELEASE FAILED: {problem}")
        output.line(f"THE ROLLBACK TO {before} FAILED TOO: {_problem(error)}")
        output.line(f"It needs attention now. Logs of the services: {service_logs}")
        return BROKEN
    target.record(image, f"failed, rolled back to {before}")
    output.summary()
    output.line(f"THE RELEASE FAILED: {problem}")
    output.line(f"Rolled back: {before} runs again and works. Logs of the services: {service_logs}")
    return ROLLED_BACK


def _attempt(commands: Commands, action: Callable[[], None]) -> None:
    """Do something helpful that must not prevent a rollback."""
    try:
        action()
    except (ReleaseError, OSError) as error:
        commands.output.line(f"    {error}")


def _problem(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    return str(error) if isinstance(error, ReleaseError) else f"{type(error).__name__}: {error}"


def _result(commands: Commands, text: str) -> str:
    return "Dry run: nothing was done." if commands.dry_run else text
