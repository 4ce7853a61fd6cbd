"""The containers of a Compose project, as Docker describes them."""

import json
from dataclasses import dataclass
from typing import Any

from release.commands import Commands

_RESTARTS_OF_A_CRASH_LOOP = 3


@dataclass(frozen=True)
class Container:
    """One container of a service.

    Args:
        id: Docker's id.
        service: its service in the Compose file.
        image: the name of its image in the Compose file, which may mean another image by now.
        image_id: the image that it really runs.
        status: `running`, `restarting`, `exited`, ...
        health: `healthy`, `starting` or `unhealthy`; None: it has no health check.
        exit_code: of its last end; 0 while it runs.
        restarts: how often Docker has restarted it.
    """

    id: str
    service: str
    image: str
    image_id: str
    status: str
    health: str | None
    exit_code: int
    restarts: int

    @property
    def runs(self) -> bool:
        """Whether it runs, or Docker is about to restart it."""
        return self.status in ("running", "restarting")

    @property
    def healthy(self) -> bool:
        """Whether it runs and its health check, if it has one, passes."""
        return self.status == "running" and self.health in (None, "healthy")

    def problem(self, restarts_before: int) -> str | None:
        """Return why it will not become healthy; None: it is healthy, or may become so.

        Compose itself would wait for a crash loop until its time is up.
        """
        if self.restarts - restarts_before >= _RESTARTS_OF_A_CRASH_LOOP:
            if self.status != "running":
                return f"{self.service} ends again and again, with exit code {self.exit_code}"
            # While it starts, wait: its next end tells the exit code.
            return None if self.health == "starting" else f"{self.service} ended again and again before it stayed"
        if self.status in ("exited", "dead"):
            return f"{self.service} ended with exit code {self.exit_code}"
        # Docker also calls a container unhealthy that it is about to restart.
        if self.status == "running" and self.health == "unhealthy":
            return f"{self.service} is unhealthy"
        return None


def containers(commands: Commands, project: str) -> list[Container]:
    """Return the containers of a project's services, ended ones too, without those of `docker compose run`."""
    label = "label=com.docker.compose"
    ids = commands.read(
        *("docker", "ps", "--all", "--quiet", "--no-trunc"),
        *("--filter", f"{label}.project={project}", "--filter", f"{label}.oneoff=False"),
    ).split()
    if not ids:
        return []
    return [_container(one) for one in json.loads(commands.read("docker", "inspect", *ids) or "[]")]


def _container(description: dict[str, Any]) -> Container:
    state = description["State"]
    return Container(
        id=description["Id"],
        service=description["Config"]["Labels"]["com.docker.compose.service"],
        image=description["Config"]["Image"],
        image_id=description["Image"],
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status"),
        exit_code=state["ExitCode"],
        restarts=description["RestartCount"],
    )
