"""Releases to an environment in AWS: the same image everywhere, brought there by Terraform (`python -m aws`)."""

import getpass
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from aws.installation import read_installation
from release.commands import CommandFailed, Commands
from release.deploy import Build
from release.errors import Failed, Refused
from release.image import REPOSITORY, parse
from release.source import ROOT
from release.state import State

# Terraform that is stopped writes its state first.
PATIENCE = 1860.0
_SECONDS_TO_LOOK = 600.0
# The provider that reads and writes the logs of tasks in S3.
BUILD_ARGUMENT = "OPTIONS=--extra aws"


class AwsTarget:
    """An environment in AWS; see `release.target.Target`.

    Everything that reaches AWS is done by `python -m aws`, which needs packages; a release needs none.

    Args:
        commands: runs the programs.
        state_folder: holds the history and the lock.
        environment: `development`, `staging` or `production`.
        seconds: how long the new instances may take; None: as long as `python -m aws apply` lets them.
    """

    def __init__(self, commands: Commands, state_folder: Path, environment: str, seconds: float | None = None) -> None:
        self._commands = commands
        self._environment = environment
        self._registry = read_installation(environment).account.registry
        self._timeout = () if seconds is None else ("--timeout", f"{seconds:.0f}")
        self._state = State(state_folder, f"aws-{environment}")
        self._before: str | None = None
        self.name = f"environment {environment} in AWS"

    def prepare(self, wanted: Build) -> Build:
        """Sign in to the registry, where an image is to be built; return how that is built for AWS."""
        if wanted.image:
            return wanted
        self._run("image", "--sign-in")
        return replace(wanted, registry=self._registry, arguments=(BUILD_ARGUMENT, *wanted.arguments))

    def lock(self) -> AbstractContextManager[None]:
        """Keep other releases of this account away; Terraform's lock of the state keeps away those of others."""
        return nullcontext() if self._commands.dry_run else self._state.lock()

    def remember(self) -> str | None:
        """Note the image that the state names."""
        found = json.loads(self._read("status", "--json") or "null")
        self._before = found["image"] if found else None
        return self._before

    def fetch(self, image: str) -> None:
        """Leave it to the instances; whether the registry has it is seen before anything is applied."""
        self._tag(image)

    def migrate(self, image: str) -> None:
        """Do nothing: the first instance of the new version migrates at its boot, before its processes start."""
        self._commands.output.detail("(the first new instance of the scheduler migrates, while the old ones serve)")

    def roll_out(self, image: str) -> None:
        """Apply the environment with the image, and wait until every instance has been replaced."""
        self._apply(image)

    def smoke_test(self, image: str) -> None:
        """Run a job through the public address; that every instance is healthy was waited for."""
        self._run("smoke")

    def roll_back(self) -> None:
        """Apply the image from before again. AWS may have gone back to it already; then nothing is replaced."""
        if self._before is None:
            raise Failed("Nothing ran before.")
        self._apply(self._before)

    def previous(self) -> str:
        """Return the image of the release before the one that runs."""
        image = self._state.before(self._before)
        if image is None:
            raise Refused(f"No other release to {self.name} is known here. Name one: deploy --image NAME:TAG")
        return image

    def return_to(self, image: str) -> None:
        """Apply the image of an earlier release."""
        self._apply(image)

    def record(self, image: str, outcome: str) -> None:
        """Add a line to the history."""
        if not self._commands.dry_run:
            self._state.add(image, getpass.getuser(), outcome)

    def save_logs(self, path: Path) -> None:
        """Write what the installation says of itself; the logs are in CloudWatch."""
        text = self._read("status")
        if not self._commands.dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(text + "\nThe logs: CloudWatch, log groups /coinrequest-*\n", encoding="utf-8")

    def status(self) -> list[str]:
        """Return what runs now and the last releases."""
        history = reversed(self._state.history()[-10:])
        return [
            *self._read("status").splitlines(),
            "Releases by this account, the newest first:",
            *(f"  {entry.at}  {entry.image}  {entry.outcome} (by {entry.by})" for entry in history),
        ]

    def _apply(self, image: str) -> None:
        self._run("apply", "--image-tag", self._tag(image), "--yes", *self._timeout)

    def _run(self, command: str, *words: str) -> None:
        self._commands.run(*self._words(command, *words))

    def _read(self, command: str, *words: str) -> str:
        try:
            return self._commands.read(*self._words(command, *words), seconds=_SECONDS_TO_LOOK)
        except CommandFailed as error:
            raise Refused(str(error)) from error

    def _words(self, command: str, *words: str) -> list[str]:
        return [str(ROOT / ".venv" / "bin" / "python"), "-m", "aws", command, self._environment, *words]

    def _tag(self, image: str) -> str:
        parts = parse(image)
        if parts.name != f"{self._registry}/{REPOSITORY}" or parts.tag is None or parts.digest:
            raise Refused(f"{image} is no tag of the registry: {self._registry}/{REPOSITORY}:COMMIT")
        return parts.tag
