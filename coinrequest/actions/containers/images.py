"""Names of images, and the patterns with which an administrator allows them.

The grammar is that of https://pkg.go.dev/github.com/distribution/reference. Names are compared in their full form, so
that `python:3.12` and `docker.io/library/python:3.12` are the same image.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from coinrequest.errors import CoinrequestError

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_REGISTRY = re.compile(rf"(?:{_HOST}|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PATH}(?:/{_PATH})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_DOCKER_HUB = "docker.io"
LONGEST_NAME = 255


class ImageInvalid(CoinrequestError, ValueError):
    """The text is not a valid image name or pattern."""


@dataclass(frozen=True, slots=True)
class Image:
    """The full name of an image.

    Attributes:
        registry: the host of the registry, with its port if it has one.
        repository: the path in the registry.
        tag: the tag, which may later point to another image; it has no meaning if there is a digest.
        digest: the hash, which always means the same image; empty if there is none.
    """

    registry: str
    repository: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def parse_image(text: str) -> Image:
    """Parse a name and add the defaults of Docker: `docker.io`, `library/` and `latest`.

    Raises:
        ImageInvalid: it is not a valid image name.
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
            f"{text[:100]!r} is not a valid image name, such as python:3.12 or ghcr.io/team/tool@sha256:…"
        )
    return image


def _parts(name: str) -> tuple[str, str, str]:
    """Split a name without a digest into registry, repository and tag."""
    first, slash, rest = name.partition("/")
    # A first part that looks like a host is the registry; all other names are on Docker Hub.
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
    """An entry of the administrator's list of allowed images.

    Attributes:
        registry: the registry, which must be equal.
        repository: the repository, which must be equal, or its prefix.
        is_prefix: whether `repository` is a prefix; then every tag and digest is allowed.
        tag: the tag, which must be equal; a digest, which would take precedence, is refused. None allows any.
        digest: the digest, which must be equal if it is not empty.
    """

    registry: str
    repository: str
    is_prefix: bool = False
    tag: str | None = None
    digest: str = ""

    def allows(self, image: Image) -> bool:
        """Return whether the pattern allows an image."""
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
    """Parse an entry: an image name, `repository:*` for all its tags, or `registry/path/*` for all images below a path.

    Raises:
        ImageInvalid: it is none of these. A wildcard for the registry is refused, because anybody can run one.
    """
    below, all_tags = text.endswith("/*"), text.endswith(":*")
    # With a placeholder for the star, the grammar of names applies.
    name = text[:-1] + "x" if below or all_tags else text
    if "*" in name:
        raise ImageInvalid(
            f"{text[:100]!r} is not a valid pattern: write an image name, repository:*, or registry/path/*"
        )
    image = parse_image(name)
    if below:
        # For a whole registry, parse_image may have added the prefix library/ of Docker Hub.
        path = "" if _is_host(text[:-2]) and "/" not in text[:-2] else image.repository[:-1]
        return ImagePattern(image.registry, path, is_prefix=True)
    return ImagePattern(image.registry, image.repository, tag=None if all_tags else image.tag, digest=image.digest)


def is_allowed(image: Image, patterns: Iterable[str]) -> bool:
    """Return whether any of the patterns allows an image.

    Raises:
        ImageInvalid: a pattern is invalid.
    """
    # Parse all patterns, so that an invalid one is reported for every image.
    allowed = [parse_pattern(pattern).allows(image) for pattern in patterns]
    return any(allowed)
