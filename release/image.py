"""The image of a commit: its tests, its build, its way to a registry."""

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
    """Return the parts of an image's name. A port of the registry is no tag."""
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
    """Build the image of the commit that is checked out.

    Args:
        commands: runs the programs.
        image: its name.
        commit: goes into the labels, with the project's version.
        arguments: further build arguments as `NAME=VALUE`; docker/Dockerfile lists them.

    Raises:
        Refused: the working tree is not the commit (any more).
    """
    if not commands.dry_run:
        source.require_clean(commands)
    words = [f"VERSION={source.version()}", f"REVISION={commit}", *arguments]
    options = [part for word in words for part in ("--build-arg", word)]
    dockerfile = str(source.ROOT / "docker" / "Dockerfile")
    commands.run("docker", "build", "--file", dockerfile, "--tag", image, *options, str(source.ROOT))


def push(commands: Commands, image: str) -> None:
    """Send the image to its registry, in which `docker login` signed in before."""
    commands.run("docker", "push", image)


def ensure(commands: Commands, image: str) -> None:
    """Fetch an image that this engine does not have."""
    try:
        found = commands.read("docker", "image", "inspect", "--format", "{{.Id}}", image).strip()
    except CommandFailed:
        found = ""
    if not found:
        commands.run("docker", "pull", image)


def revision(commands: Commands, image: str) -> str:
    """Return the commit that an image of this engine was built from, as its label says; empty: it says none."""
    question = f'{{{{index .Config.Labels "{REVISION_LABEL}"}}}}'
    return commands.read("docker", "image", "inspect", "--format", question, image).strip()
