"""The programs that a release runs, as far as it can tell: Git, make, an engine with Compose."""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from release.commands import Finished

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEW = f"coinrequest:{COMMIT}"
OLD = "coinrequest:old"
ONCE = "service_completed_successfully"
SERVICES: dict[str, dict[str, Any]] = {
    "secrets": {},
    "postgres": {"image": "postgres:17-bookworm", "depends_on": {"secrets": {"condition": ONCE}}},
    "redis": {"image": "redis:7.4-bookworm"},
    "migrate": {"depends_on": {"postgres": {"condition": "service_healthy"}}},
    "api-server": {"depends_on": {"migrate": {"condition": ONCE}}},
    "agent": {"depends_on": {"migrate": {"condition": ONCE}}},
}


def image_id(image: str) -> str:
    """The id of an image: the same for the same name, and 64 digits long."""
    return f"sha256:{image.encode().hex():0<64}"[:71]


@dataclass
class World:
    """Answers as the programs would, and notes what was asked.

    Args:
        running: image and number of containers of each service.
        broken: images whose services end again and again.
        failing: patterns of commands that fail, and their exit codes.
        interrupting: patterns of commands during which somebody presses Ctrl-C.
        changed: the lines of `git status --porcelain`.
        images: those that the engine has.
        looks: how often somebody looked at the containers; a broken one has ended as often.
        up_until: the look until which a broken one is met while it runs.
    """

    running: dict[str, tuple[str, int]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    failing: dict[str, int] = field(default_factory=dict)
    interrupting: set[str] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)
    images: set[str] = field(default_factory=lambda: {OLD, NEW})
    lines: list[str] = field(default_factory=list)
    looks: int = 0
    up_until: int = 0

    def execute(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        stdin: str | None,
        seconds: float | None,
        show: Callable[[str], None] | None,
    ) -> Finished:
        line = " ".join([*(f"{name}={value}" for name, value in environment.items()), shlex.join(words)])
        self.lines.append(line)
        if any(re.search(pattern, line) for pattern in self.interrupting):
            raise KeyboardInterrupt
        for pattern, code in self.failing.items():
            if re.search(pattern, line):
                return Finished(code, error="it says why")
        return Finished(0, self._answer(list(words), environment))

    def changes(self) -> list[str]:
        """What was run that changes something, shortened to what differs."""
        kept = [line for line in self.lines if not any(part in line for part in _READS)]
        return [_short(line) for line in kept]

    def _answer(self, words: list[str], environment: Mapping[str, str]) -> str:
        match words:
            case ["git", "-C", _, "rev-parse", "HEAD"]:
                return COMMIT + "\n"
            case ["git", "-C", _, "status", "--porcelain"]:
                return "".join(f"{line}\n" for line in self.changed)
            case ["docker", "ps", *_]:
                self.looks += 1
                return "\n".join(
                    f"{service}.{number}.{image}"
                    for service, (image, count) in self.running.items()
                    for number in range(count)
                )
            case ["docker", "inspect", *ids]:
                return json.dumps([self._container(name) for name in ids])
            case ["docker", "image", "inspect", "--format", question, image] if "Labels" in question:
                return f"{image.rpartition(':')[2]}\n"
            case ["docker", "image", "inspect", *_, image]:
                return image_id(image) + "\n" if image in self.images else ""
            case ["docker", "compose", *rest]:
                return self._compose(rest, environment.get("COINREQUEST_IMAGE", "coinrequest:development"))
        return ""

    def _container(self, name: str) -> dict[str, Any]:
        service, _number, image = name.split(".", 2)
        broken = image in self.broken
        ended = broken and self.looks > self.up_until
        return {
            "Id": name,
            "Image": image_id(image),
            "RestartCount": self.looks if broken else 0,
            "Config": {"Image": image, "Labels": {"com.docker.compose.service": service}},
            "State": {
                "Status": "restarting" if ended else "running",
                "ExitCode": int(ended),
                "Health": {"Status": "starting" if broken else "healthy"},
            },
        }

    def _compose(self, words: list[str], image: str) -> str:
        if "config" in words:
            services = {name: {"image": image, **service} for name, service in SERVICES.items()}
            return json.dumps({"name": "coinrequest", "services": services})
        if "up" in words:
            scale = dict(word.split("=") for word in words if "=" in word)
            for name in set(words) & set(SERVICES):
                own = SERVICES[name].get("image", image)
                self.running[name] = (own, int(scale.get(name, 1)))
        if "rm" in words:
            for name in set(words) & set(SERVICES):
                del self.running[name]
        if "logs" in words:
            return "api-server | oh no\n"
        return ""


_READS = (" rev-parse ", " status --porcelain", "docker ps ", "docker inspect ", "image inspect ", " config ", " logs ")


def _short(line: str) -> str:
    root = str(Path(__file__).resolve().parents[2])
    files = f"--file {root}/docker-compose.yaml --file {root}/docker-compose.production.yaml "
    return line.replace(files, "").replace(root, "ROOT").replace(COMMIT, "COMMIT")


def serving(image: str, services: Iterable[str] = ("api-server", "agent")) -> dict[str, tuple[str, int]]:
    """What runs where one image serves."""
    return {"postgres": ("postgres:17-bookworm", 1), **dict.fromkeys(services, (image, 1))}
