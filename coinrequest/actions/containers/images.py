"""Names of images, and which of them an administrator allows.

The grammar is that of https://pkg.go.dev/github.com/distribution/reference. Names are compared in their full form, so
that `python:3.12` and `docker.io/library/python:3.12` are one, and nothing that looks like one is another.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_REGISTRY = re.compile(rf"(?:{_HOST}|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PATH}(?:/{_PATH})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_DOCKER_HUB = "docker.io"
LONGEST_NAME = 255


class ImageInvalid(ValueError):
    """This is not the name of an image, or not a pattern of such names; the message says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """The full name of an image.

    Attributes:
        registry: a host, and a port if it has one.
        repository: the path on it.
        tag: a name that can be given to another image later; it does not count where there is a digest.
        digest: the hash of one image for ever; empty if there is none.
    """

    registry: str
    repository: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def parse_image(text: str) -> Image:
    """Read a name, and complete it as Docker does: `docker.io`, `library/`, `latest`.

    Raises:
        ImageInvalid: it is not the name of an image.
    """
    name, at, digest = text.partition("@")
    registry, repository, tag = _parts(name)
    image = Image(registry, repository, tag, digest)
    if (
        len(text) > LONGEST_NAME
        or not _REGISTRY.fullmatch(registry)
        or not _REPOSITORY.fullmatch(repository)
        or not _TAG.fullmatch(tag)
        or (at and not _DIGEST.fullmatch(digest))
    ):
        raise ImageInvalid(
            f"{text[:100]!r} is not the name of an image, such as python:3.12 or ghcr.io/team/tool@sha256:…"
        )
    return image


def _parts(name: str) -> tuple[str, str, str]:
    """Cut a name without a digest into registry, repository and tag."""
    first, slash, rest = name.partition("/")
    # A first part that could be a host is one; all others are of Docker Hub.
    if slash and _is_host(first):
        registry, path = first.lower(), rest
    else:
        registry, path = _DOCKER_HUB, name
    if registry == "index.docker.io":
        registry = _DOCKER_HUB
    path, colon, tag = path.partition(":")
    if registry == _DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return registry, path, tag if colon else "latest"


def _is_host(part: str) -> bool:
    return part == "localhost" or "." in part or ":" in part or part != part.lower()


@dataclass(frozen=True, slots=True)
class ImagePattern:
    """One entry of the administrator's list.

    Attributes:
        registry: must be equal.
        repository: must be equal, or be the beginning of the path.
        is_prefix: whether it is the beginning; then any tag and any digest goes.
        tag: must be equal, and then a digest is refused, for it would decide instead; None: anything goes.
        digest: must be equal if it is not empty.
    """

    registry: str
    repository: str
    is_prefix: bool = False
    tag: str | None = None
    digest: str = ""

    def allows(self, image: Image) -> bool:
        """Tell whether an image is one of these."""
        if image.registry != self.registry:
            return False
        if self.is_prefix:
            return image.repository.startswith(self.repository)
        if image.repository != self.repository:
            return False
        if self.digest:
            return image.digest == self.digest
        return self.tag is None or (image.tag == self.tag and not image.digest)


def parse_pattern(text: str) -> ImagePattern:
    """Read an entry: the name of an image, `repository:*` for all its versions, or `registry/path/*` for all below.

    Raises:
        ImageInvalid: it is none of these. A star for the registry is refused: anybody can run one.
    """
    below, versions = text.endswith("/*"), text.endswith(":*")
    # A stand-in for the star makes it a name that the one grammar for names can read.
    whole = text[:-1] + "x" if below or versions else text
    if "*" in whole:
        raise ImageInvalid(
            f"{text[:100]!r} is nothing that can be allowed: write the name of an image, repository:*, or "
            "registry/path/*"
        )
    image = parse_image(whole)
    if below:
        # All of a registry: parse_image has put Docker Hub's own folder before the stand-in.
        path = "" if _is_host(text[:-2]) and "/" not in text[:-2] else image.repository[:-1]
        return ImagePattern(image.registry, path, is_prefix=True)
    return ImagePattern(image.registry, image.repository, tag=None if versions else image.tag, digest=image.digest)


def is_allowed(image: Image, patterns: Iterable[str]) -> bool:
    """Tell whether any of the administrator's entries allows an image.

    Raises:
        ImageInvalid: an entry cannot be read.
    """
    # All are read, so that a wrong one is noticed whichever image is asked for.
    allowed = [parse_pattern(pattern).allows(image) for pattern in patterns]
    return any(allowed)
