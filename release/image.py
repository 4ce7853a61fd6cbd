"""The image of a commit: tests, build, push, fetch."""

import re
from dataclasses import dataclass

from release import source
from release.commands import CommandFailed, Commands

REPOSITORY = "coinrequest"
REVISION_LABEL = "org.opencontainers.image.revision"
_REFERENCE = re.compile(r"(?P<name>.+?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


@dataclass(frozen=True)
class Reference:
    """The parts of an image's name: `ghcr.io/team/coinrequest:TAG@sha256:...`."""

    name: str
    tag: str | None = None
    digest: str | None = None


def parse(image: str) -> Reference:
    """Return the parts of an image's name. The port of a registry is not a tag."""
    match = _REFERENCE.fullmatch(image)
    if match is None:  # pragma: no cover - any text has a name
        raise ValueError(image)
    return Reference(match["name"], match["tag"], match["digest"])


def is_platform(image: str) -> bool:
    """Say whether this is an image of the platform, of whatever registry and tag."""
    return parse(image).name.rpartition("/")[2] == REPOSITORY


def name_of(commit: str, registry: str | None) -> str:
    """Return the name of a commit's image, such as `ghcr.io/team/coinrequest:0123...`."""
    prefix = f"{registry.rstrip('/')}/" if registry else ""
    return f"{prefix}{REPOSITORY}:{commit}"


def test(commands: Commands) -> None:
    """Run the project's checks and tests."""
    make = ("make", "--directory", str(source.ROOT))
    commands.run(*make, "check")
    commands.run(*make, "test")


def build(commands: Commands, image: str, commit: str, arguments: tuple[str, ...] = ()) -> None:
    """Build the image of the checked-out commit.

    Args:
        commands: runs the programs.
        image: its name.
        commit: goes into the labels, with the project's version.
        arguments: further build arguments as `NAME=VALUE`; docker/Dockerfile lists them.

    Raises:
        Refused: the working tree differs from the commit.
    """
    if not commands.dry_run:
        source.require_clean(commands)
    values = [f"VERSION={source.version()}", f"REVISION={commit}", *arguments]
    options = [part for value in values for part in ("--build-arg", value)]
    dockerfile = str(source.ROOT / "docker" / "Dockerfile")
    commands.run("docker", "build", "--file", dockerfile, "--tag", image, *options, str(source.ROOT))


def push(commands: Commands, image: str) -> None:
    """Push the image to its registry, after a `docker login` to it."""
    commands.run("docker", "push", image)


def ensure(commands: Commands, image: str) -> None:
    """Fetch an image that this engine does not have."""
    try:
        found = id_of(commands, image)
    except CommandFailed:
        found = ""
    if not found:
        commands.run("docker", "pull", image)


def id_of(commands: Commands, image: str) -> str:
    """Return the id of the image that this engine has under a name."""
    return _inspect(commands, image, "{{.Id}}")


def revision(commands: Commands, image: str) -> str:
    """Return the commit that an image of this engine was built from; empty if its label does not say."""
    return _inspect(commands, image, f'{{{{index .Config.Labels "{REVISION_LABEL}"}}}}')


def _inspect(commands: Commands, image: str, template: str) -> str:
    return commands.read("docker", "image", "inspect", "--format", template, image).strip()
