"""Releases to an environment in AWS: Terraform brings the image there (`python -m aws`)."""

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from aws.installation import read_installation
from release.commands import CommandFailed, Commands
from release.deploy import BuildOptions
from release.errors import Failed, Refused
from release.image import REPOSITORY, parse
from release.source import ROOT
from release.state import State

# Terraform that is stopped writes its state first, and `python -m aws` waits 1800 s for that.
GRACE_PERIOD = 1860.0
_READ_TIMEOUT = 600.0
# The provider that reads and writes the logs of tasks in S3.
BUILD_ARGUMENT = "OPTIONS=--extra aws"


class AwsTarget:
    """An environment in AWS; see `release.target.Target`.

    Args:
        commands: runs the programs.
        state_folder: holds the history and the lock.
        environment: `development`, `staging` or `production`.
        timeout: seconds for the new instances; None: what `python -m aws apply` gives them.
    """

    def __init__(self, commands: Commands, state_folder: Path, environment: str, timeout: float | None = None) -> None:
        self._commands = commands
        self._environment = environment
        self._registry = read_installation(environment).account.registry
        self._timeout = () if timeout is None else ("--timeout", f"{timeout:.0f}")
        self._state = State(state_folder, f"aws-{environment}", dry_run=commands.dry_run)
        self._before: str | None = None
        self.name = f"environment {environment} in AWS"

    def prepare(self, options: BuildOptions) -> BuildOptions:
        """Sign in to the registry if an image is to be built; return how it is built for AWS."""
        if options.image:
            return options
        self._run("image", "--sign-in")
        return replace(options, registry=self._registry, arguments=(BUILD_ARGUMENT, *options.arguments))

    def lock(self) -> AbstractContextManager[None]:
        """Block other releases by this account; Terraform's lock of the state blocks those by others."""
        return self._state.lock()

    def remember(self) -> str | None:
        """Note the image in Terraform's state."""
        found = json.loads(self._read("status", "--json") or "null")
        self._before = found["image"] if found else None
        return self._before

    def fetch(self, image: str) -> None:
        """Check the name only. The instances fetch it, and `apply` refuses one that is not in the registry."""
        self._tag(image)

    def migrate(self, image: str) -> None:
        """Do nothing: the first instance of the new version migrates at its boot, before its processes start."""
        self._commands.output.detail("(the first new instance of the scheduler migrates, while the old ones serve)")

    def roll_out(self, image: str) -> None:
        """Apply the environment with the image, and wait until every instance is replaced."""
        self._apply(image)

    def smoke_test(self, image: str) -> None:
        """Run a job through the public address. `apply` has waited until every instance was healthy."""
        self._run("smoke")

    def roll_back(self) -> None:
        """Apply the previous image again. If AWS has already returned to it, nothing is replaced."""
        if self._before is None:
            raise Failed("Nothing ran before.")
        self._apply(self._before)

    def previous(self) -> str:
        """Return the image of the previous release."""
        image = self._state.before(self._before)
        if image is None:
            raise Refused(f"No other release to {self.name} is known here. Name one: deploy --image NAME:TAG")
        return image

    def return_to(self, image: str) -> None:
        """Apply the image of an earlier release."""
        self._apply(image)

    def record(self, image: str, outcome: str) -> None:
        """Add a line to the history."""
        self._state.add(image, outcome)

    def save_logs(self, path: Path) -> None:
        """Write the status of the installation; the logs are in CloudWatch."""
        self._commands.save(path, self._read("status") + "\nThe logs: CloudWatch, log groups /coinrequest-*\n")

    def status(self) -> list[str]:
        """Return what runs now and the last releases."""
        return [*self._read("status").splitlines(), *self._state.shown()]

    def _apply(self, image: str) -> None:
        self._run("apply", "--image-tag", self._tag(image), "--yes", *self._timeout)

    def _run(self, command: str, *words: str) -> None:
        self._commands.run(*self._argv(command, *words))

    def _read(self, command: str, *words: str) -> str:
        try:
            return self._commands.read(*self._argv(command, *words), timeout=_READ_TIMEOUT)
        except CommandFailed as error:
            raise Refused(str(error)) from error

    def _argv(self, command: str, *words: str) -> list[str]:
        return [str(ROOT / ".venv" / "bin" / "python"), "-m", "aws", command, self._environment, *words]

    def _tag(self, image: str) -> str:
        parts = parse(image)
        if parts.name != f"{self._registry}/{REPOSITORY}" or parts.tag is None or parts.digest:
            raise Refused(f"{image} is not a tag of the registry: {self._registry}/{REPOSITORY}:COMMIT")
        return parts.tag
