"""Releases to one machine: a project of Docker Compose."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release import image as images
from release.commands import CommandFailed, Commands
from release.containers import Container, containers
from release.errors import Failed, Refused, ReleaseError
from release.polling import poll
from release.source import ROOT, commit
from release.state import State

FILES = ("docker-compose.yaml", "docker-compose.production.yaml")
IMAGE_VARIABLE = "COINREQUEST_IMAGE"
# An image that does not know this variable keeps the job type.
_DELETE_AFTER_DEMO = ("--env", "COINREQUEST_DEMO_KEEP=no")
_RUNS_ONCE = "service_completed_successfully"
_MIGRATION_TIMEOUT = 900.0
_SMOKE_TEST_TIMEOUT = 300.0


@dataclass(frozen=True)
class Services:
    """The services of a Compose file that run all the time.

    Args:
        project: the name of the project.
        backing: those with other images: the database, the broker.
        application: those with the image that is released.
        scaled_in_file: those whose number of containers is set in the file.
    """

    project: str
    backing: tuple[str, ...]
    application: tuple[str, ...]
    scaled_in_file: frozenset[str] = frozenset()


def read_services(document: Mapping[str, Any], image: str) -> Services:
    """Find the services in the output of `docker compose config`."""
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
    scaled = frozenset(name for name in application if {"scale", "deploy"} & set(services[name]))
    return Services(document["name"], backing, application, scaled)


@dataclass(frozen=True)
class _Running:
    """What ran before a release: its image, and the number of containers of each service."""

    image: str
    counts: Mapping[str, int]


class ComposeTarget:
    """A project of Docker Compose; see `release.target.Target`.

    Args:
        commands: runs the programs.
        state_folder: holds the history and the lock.
        files: the Compose files.
        project: its name; None: the one in the files.
        timeout: seconds in which the services have to become healthy.
    """

    def __init__(
        self,
        commands: Commands,
        state_folder: Path,
        files: Sequence[str] = FILES,
        project: str | None = None,
        timeout: float = 300.0,
    ) -> None:
        self._commands = commands
        self._options = [part for file in files for part in ("--file", str(ROOT / file))]
        self._options += ["--project-name", project] if project else []
        self._timeout = timeout
        self._services = self._read_services()
        self._project = self._services.project
        self._state = State(state_folder, f"compose-{self._project}", dry_run=commands.dry_run)
        self._before: _Running | None = None
        self._restarts: dict[str, int] = {}
        self.name = f"Compose project {self._project}"

    def lock(self) -> AbstractContextManager[None]:
        """Block other releases by this account to this project."""
        return self._state.lock()

    def remember(self) -> str | None:
        """Note the image that runs, the number of containers of each service, and how often each restarted."""
        every = self._containers()
        # Not counted after the rollout: a broken service restarts while Compose starts the others, slower each time.
        self._restarts = {one.id: one.restarts for one in every}
        found = [one for one in every if one.runs and one.service in self._services.application]
        self._before = None
        if found:
            self._before = _Running(self._permanent_name(found), Counter(one.service for one in found))
        return self._before.image if self._before else None

    def fetch(self, image: str) -> None:
        """Fetch the image if this engine does not have it."""
        images.ensure(self._commands, image)
        self._compare(image)

    def migrate(self, image: str) -> None:
        """Start the database and the broker, and run the service `migrate` once, while the platform runs."""
        wait = ("--wait", "--wait-timeout", f"{self._timeout:.0f}")
        if self._services.backing:
            self._compose(image, "up", "--detach", *wait, *self._services.backing)
        self._compose(image, "run", "--rm", "--no-deps", "-T", "migrate", timeout=_MIGRATION_TIMEOUT)

    def roll_out(self, image: str) -> None:
        """Replace the containers of the application. Each service keeps its number, unless the file sets one."""
        self._up(image, self._services.application)

    def smoke_test(self, image: str) -> None:
        """Check every container, then run `demo`: it registers a job type, runs a job and checks its result."""
        self._check(image)
        demo = ("run", "--rm", "--no-deps", "-T", *_DELETE_AFTER_DEMO, "cli", "demo")
        self._compose(image, *demo, timeout=_SMOKE_TEST_TIMEOUT)
        # Again: a service may have ended under the first real work.
        self._check(image)

    def roll_back(self) -> None:
        """Start the previous image again, without its migrations; remove services that did not run before."""
        if self._before is None:
            raise Failed("Nothing ran before.")
        image = self._before.image
        new = [name for name in self._services.application if name not in self._before.counts]
        if new:
            self._compose(image, "rm", "--stop", "--force", *new)
        self._up(image, [name for name in self._services.application if name in self._before.counts])

    def previous(self) -> str:
        """Return the image of the previous release."""
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
        self._state.add(image, outcome)

    def save_logs(self, path: Path) -> None:
        """Write the last log lines of every service to a file."""
        self._commands.save(path, self._commands.read(*self._argv("logs", "--no-color", "--timestamps", "--tail=1000")))

    def status(self) -> list[str]:
        """Return what runs now and the last releases."""
        running = sorted((one for one in self._containers() if one.runs), key=lambda one: one.service)
        return [
            f"{self.name}:" if running else f"{self.name}: nothing runs",
            *(f"  {one.service:<20} {one.health or one.status:<10} {one.image}" for one in running),
            *self._state.shown(),
        ]

    def _compare(self, image: str) -> None:
        """Say so if the Compose files are not of the commit that the image was built from."""
        try:
            built, here = images.revision(self._commands, image), commit(self._commands)
        except ReleaseError:
            return
        if built != here:
            self._commands.output.detail(f"Note: the image is of commit {built}, the Compose files are of {here}.")

    def _argv(self, *words: str) -> list[str]:
        return ["docker", "compose", *self._options, *words]

    def _compose(self, image: str, *words: str, timeout: float | None = None) -> None:
        self._commands.run(*self._argv(*words), environment={IMAGE_VARIABLE: image}, timeout=timeout)

    def _read_services(self) -> Services:
        image = f"{images.REPOSITORY}:unknown"
        argv = self._argv("config", "--format", "json")
        try:
            text = self._commands.read(*argv, environment={IMAGE_VARIABLE: image}, needed=True)
        except CommandFailed as error:
            raise Refused(f"The Compose files cannot be used as they are: {error}") from error
        found = read_services(json.loads(text), image)
        if not found.application:
            raise Refused(f"No service in the Compose files takes its image from {IMAGE_VARIABLE}.")
        return found

    def _containers(self) -> list[Container]:
        return containers(self._commands, self._project)

    def _permanent_name(self, found: Sequence[Container]) -> str:
        """Return a name that will always mean the image which most of the containers run.

        The name in the Compose file may mean another image by now: `coinrequest:development` is built often.
        """
        image_id = Counter(one.image_id for one in found).most_common(1)[0][0]
        for name in sorted({one.image for one in found if one.image_id == image_id}):
            try:
                if images.id_of(self._commands, name) == image_id:
                    return name
            except CommandFailed:
                continue
        name = f"{images.REPOSITORY}:{image_id.removeprefix('sha256:')[:12]}"
        self._commands.run("docker", "tag", image_id, name)
        return name

    def _up(self, image: str, services: Iterable[str]) -> None:
        counts = self._before.counts if self._before else {}
        chosen = list(services)
        # The file's number wins. Without one, Compose would return to a single container.
        several = [name for name in chosen if counts.get(name, 1) > 1 and name not in self._services.scaled_in_file]
        scale = [part for name in several for part in ("--scale", f"{name}={counts[name]}")]
        self._compose(image, "up", "--detach", "--no-deps", *scale, *chosen)
        if not self._commands.dry_run:
            self._await_health(chosen)

    def _await_health(self, services: Collection[str]) -> None:
        shown: set[str] = set()

        def unhealthy() -> set[str]:
            nonlocal shown
            found = [one for one in self._containers() if one.service in services]
            problems = {problem for one in found if (problem := one.problem(self._restarts.get(one.id, 0)))}
            if problems:
                raise Failed("; ".join(sorted(problems)))
            waiting = {*services} - {one.service for one in found} | {one.service for one in found if not one.healthy}
            if waiting and waiting != shown:
                self._commands.output.detail(f"waiting for {', '.join(sorted(waiting))}")
                shown = waiting
            return waiting

        waiting = poll(unhealthy, lambda waiting: not waiting, self._timeout, 1.0)
        if waiting:
            raise Failed(f"not healthy after {self._timeout:.0f} s: {', '.join(sorted(waiting))}")

    def _check(self, image: str) -> None:
        """Check that every container is healthy, and that those of the application run this image."""
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
