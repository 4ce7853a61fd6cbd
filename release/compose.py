"""Releases to one machine: a project of Docker Compose."""

import getpass
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from release import image as images
from release.commands import CommandFailed, Commands
from release.containers import Container, containers
from release.errors import Failed, Refused, ReleaseError
from release.source import ROOT, commit
from release.state import State

FILES = ("docker-compose.yaml", "docker-compose.production.yaml")
IMAGE_VARIABLE = "COINREQUEST_IMAGE"
# An image that does not know the variable leaves the type where it is.
_NO_TRACE = ("--env", "COINREQUEST_DEMO_KEEP=no")
_RUNS_ONCE = "service_completed_successfully"
_SECONDS_TO_MIGRATE = 900.0
_SECONDS_TO_TEST = 300.0


@dataclass(frozen=True)
class Services:
    """The services of a Compose file that run all the time.

    Args:
        project: the name of the project.
        backing: those with images of others: the database, the broker.
        application: those with the image that is released.
        counted: those whose number of containers stands in the file.
    """

    project: str
    backing: tuple[str, ...]
    application: tuple[str, ...]
    counted: frozenset[str] = frozenset()


def read_services(document: Mapping[str, Any], image: str) -> Services:
    """Find the services in what `docker compose config` writes."""
    services: Mapping[str, Any] = document["services"]
    once = {
        name
        for service in services.values()
        for name, needed in service.get("depends_on", {}).items()
        if needed["condition"] == _RUNS_ONCE
    }
    all_the_time = [name for name in services if name not in once]
    application = tuple(name for name in all_the_time if services[name].get("image") == image)
    backing = tuple(name for name in all_the_time if name not in application)
    counted = frozenset(name for name in application if {"scale", "deploy"} & set(services[name]))
    return Services(document["name"], backing, application, counted)


@dataclass(frozen=True)
class _Running:
    """What ran before a release: its image, and how many containers of each service."""

    image: str
    counts: Mapping[str, int] = field(default_factory=dict)


class ComposeTarget:
    """A project of Docker Compose; see `release.target.Target`.

    Args:
        commands: runs the programs.
        state_folder: holds the history and the lock.
        files: the Compose files.
        project: its name; None: the one in the files.
        seconds: how long the services may take to become healthy.
    """

    def __init__(
        self,
        commands: Commands,
        state_folder: Path,
        files: Sequence[str] = FILES,
        project: str | None = None,
        seconds: float = 300.0,
    ) -> None:
        self._commands = commands
        self._options = [part for file in files for part in ("--file", str(ROOT / file))]
        self._options += ["--project-name", project] if project else []
        self._seconds = seconds
        self._services = self._read_services()
        self._project = self._services.project
        self._state = State(state_folder, f"compose-{self._project}")
        self._before: _Running | None = None
        self._restarts: dict[str, int] = {}
        self.name = f"Compose project {self._project}"

    def lock(self) -> AbstractContextManager[None]:
        """Keep other releases of this account to this project away."""
        return nullcontext() if self._commands.dry_run else self._state.lock()

    def remember(self) -> str | None:
        """Note the image that runs now, how many containers each service has, and how often each restarted."""
        every = self._containers()
        # Not counted after a roll-out: while Compose starts the others, what is broken has restarted already, slower
        # each time.
        self._restarts = {one.id: one.restarts for one in every}
        found = [one for one in every if one.runs and one.service in self._services.application]
        self._before = None
        if found:
            counts = Counter(one.service for one in found)
            self._before = _Running(self._name_for_good(found), dict(counts))
        return self._before.image if self._before else None

    def fetch(self, image: str) -> None:
        """Fetch the image where this engine does not have it."""
        images.ensure(self._commands, image)
        self._compare(image)

    def migrate(self, image: str) -> None:
        """Start the database and the broker, and run the service `migrate` once, beside what runs."""
        wait = ("--wait", "--wait-timeout", f"{self._seconds:.0f}")
        if self._services.backing:
            self._compose(image, "up", "--detach", *wait, *self._services.backing)
        self._compose(image, "run", "--rm", "--no-deps", "-T", "migrate", seconds=_SECONDS_TO_MIGRATE)

    def roll_out(self, image: str) -> None:
        """Replace the containers of the application; each service keeps its number, unless the file says one."""
        self._up(image, self._services.application)

    def smoke_test(self, image: str) -> None:
        """Look at every container, then run `demo`: a job type is registered, a job run, its result checked."""
        self._check(image)
        self._compose(image, "run", "--rm", "--no-deps", "-T", *_NO_TRACE, "cli", "demo", seconds=_SECONDS_TO_TEST)
        # Once more: something may have ended under the first real work.
        self._check(image)

    def roll_back(self) -> None:
        """Start the image from before again, without its migrations; remove services that did not run before."""
        if self._before is None:
            raise Failed("Nothing ran before.")
        image = self._before.image
        new = [name for name in self._services.application if name not in self._before.counts]
        if new:
            self._compose(image, "rm", "--stop", "--force", *new)
        self._up(image, [name for name in self._services.application if name in self._before.counts])

    def previous(self) -> str:
        """Return the image of the release before the one that runs."""
        image = self._state.before(self._before.image if self._before else None)
        if image is None:
            raise Refused(f"No other release to {self.name} is known here. Name one: deploy --image coinrequest:COMMIT")
        return image

    def return_to(self, image: str) -> None:
        """Start the image of an earlier release, without its migrations."""
        images.ensure(self._commands, image)
        self._up(image, self._services.application)

    def record(self, image: str, outcome: str) -> None:
        """Add a line to the history."""
        if not self._commands.dry_run:
            self._state.add(image, getpass.getuser(), outcome)

    def save_logs(self, path: Path) -> None:
        """Write the last lines of every service to a file that only its owner can read."""
        text = self._commands.read(*self._words("logs", "--no-color", "--timestamps", "--tail", "1000"))
        if not self._commands.dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")

    def status(self) -> list[str]:
        """Return what runs now and the last releases."""
        running = sorted((one for one in self._containers() if one.runs), key=lambda one: one.service)
        history = reversed(self._state.history()[-10:])
        return [
            f"{self.name}:" if running else f"{self.name}: nothing runs",
            *(f"  {one.service:<20} {one.health or one.status:<10} {one.image}" for one in running),
            "Releases by this account, the newest first:",
            *(f"  {entry.at}  {entry.image}  {entry.outcome} (by {entry.by})" for entry in history),
        ]

    def _compare(self, image: str) -> None:
        """Say so when the Compose files are not of the commit that the image was built from."""
        try:
            built, here = images.revision(self._commands, image), commit(self._commands)
        except ReleaseError:
            return
        if built != here:
            self._commands.output.detail(f"Note: the image is of commit {built}, the Compose files are of {here}.")

    def _words(self, *words: str) -> list[str]:
        return ["docker", "compose", *self._options, *words]

    def _compose(self, image: str, *words: str, seconds: float | None = None) -> None:
        self._commands.run(*self._words(*words), environment={IMAGE_VARIABLE: image}, seconds=seconds)

    def _read_services(self) -> Services:
        image = f"{images.REPOSITORY}:unknown"
        words = self._words("config", "--format", "json")
        try:
            text = self._commands.read(*words, environment={IMAGE_VARIABLE: image}, needed=True)
        except CommandFailed as error:
            raise Refused(f"The Compose files cannot be used as they are: {error}") from error
        found = read_services(json.loads(text), image)
        if not found.application:
            raise Refused(f"No service in the Compose files takes its image from {IMAGE_VARIABLE}.")
        return found

    def _containers(self) -> list[Container]:
        return containers(self._commands, self._project)

    def _name_for_good(self, found: Sequence[Container]) -> str:
        """Return a name that means the image which most of the containers run, now and later.

        The name that they were started under may mean another image by now: `coinrequest:development` is built often.
        """
        image_id = Counter(one.image_id for one in found).most_common(1)[0][0]
        for name in sorted({one.image for one in found if one.image_id == image_id}):
            try:
                meant = self._commands.read("docker", "image", "inspect", "--format", "{{.Id}}", name).strip()
            except CommandFailed:
                continue
            if meant == image_id:
                return name
        name = f"{images.REPOSITORY}:{image_id.removeprefix('sha256:')[:12]}"
        self._commands.run("docker", "tag", image_id, name)
        return name

    def _up(self, image: str, services: Iterable[str]) -> None:
        counts = self._before.counts if self._before else {}
        chosen = list(services)
        # A number in the file wins; without one, Compose would return to a single container.
        several = [name for name in chosen if counts.get(name, 1) > 1 and name not in self._services.counted]
        scale = [part for name in several for part in ("--scale", f"{name}={counts[name]}")]
        self._compose(image, "up", "--detach", "--no-deps", *scale, *chosen)
        self._await_health(chosen)

    def _await_health(self, services: Collection[str]) -> None:
        if self._commands.dry_run:
            return
        began = monotonic()
        shown: set[str] = set()
        while True:
            found = [one for one in self._containers() if one.service in services]
            problems = [one.problem(self._restarts.get(one.id, 0)) for one in found]
            if any(problems):
                raise Failed("; ".join(sorted({problem for problem in problems if problem})))
            waiting = set(services) - {one.service for one in found} | {o.service for o in found if not o.healthy}
            if not waiting:
                return
            if monotonic() - began > self._seconds:
                raise Failed(f"not healthy after {self._seconds:.0f} s: {', '.join(sorted(waiting))}")
            if waiting != shown:
                self._commands.output.detail(f"waiting for {', '.join(sorted(waiting))}")
                shown = waiting
            sleep(1.0)

    def _check(self, image: str) -> None:
        """See that every container is healthy, and that those of the application run this image."""
        if self._commands.dry_run:
            return
        ours = self._services.application
        watched = {*ours, *self._services.backing}
        found = [one for one in self._containers() if one.service in watched]
        wrong = [
            f"{one.service} is {one.health or one.status} with {one.image}"
            for one in found
            if not one.healthy or (one.service in ours and one.image != image)
        ]
        if wrong or not found:
            raise Failed(f"not every service is healthy with {image}: {'; '.join(wrong) or 'none runs'}")
