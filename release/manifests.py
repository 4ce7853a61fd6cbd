"""What Kustomize renders, taken apart.

The standard library reads no YAML, and needs not: Kustomize writes one form of it, block style with two spaces, one
document for each object.
"""

import re
from collections import Counter
from dataclasses import dataclass

_IMAGE = re.compile(r"(?P<key>^ *(?:- )?image: )(?:\S+/)?coinrequest(?:[:@]\S+)?$", re.MULTILINE)
_KIND = re.compile(r"^kind: (\S+)$", re.MULTILINE)
_METADATA = re.compile(r"^metadata:\n(?P<lines>(?: .*\n?)+)", re.MULTILINE)
_NAME = re.compile(r"^  name: (\S+)$", re.MULTILINE)
_NAMESPACE = re.compile(r"^  namespace: (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One object of the cluster, as text."""

    kind: str
    name: str
    namespace: str | None
    text: str


@dataclass(frozen=True)
class Manifests:
    """The objects of one overlay."""

    documents: tuple[Document, ...]

    @property
    def namespace(self) -> str:
        """The namespace that the processes are in; an overlay may have objects in others as well."""
        return next(one.namespace for one in self.documents if one.kind == "Deployment" and one.namespace)

    def names(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind."""
        return [document.name for document in self.documents if document.kind == kind]

    def of(self, *kinds: str) -> "Manifests":
        """Return the objects of these kinds alone."""
        return Manifests(tuple(document for document in self.documents if document.kind in kinds))

    def without(self, *kinds: str) -> "Manifests":
        """Return the objects of all other kinds."""
        return Manifests(tuple(document for document in self.documents if document.kind not in kinds))

    def text(self) -> str:
        """Return the objects as Kustomize wrote them."""
        return "---\n".join(document.text for document in self.documents)

    def about(self) -> str:
        """Return the kinds and their numbers: `6 Deployment, 1 Job`."""
        counts = Counter(document.kind for document in self.documents)
        return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def read(rendered: str, image: str) -> Manifests:
    """Take apart what `kubectl kustomize` wrote, with the image put in everywhere.

    Args:
        rendered: the text.
        image: takes the place of every `coinrequest`, of whichever registry and tag.
    """
    text = _IMAGE.sub(lambda match: match["key"] + image, rendered)
    return Manifests(tuple(_document(part) for part in re.split(r"^---\n", text, flags=re.MULTILINE) if part.strip()))


def _document(text: str) -> Document:
    kind, metadata = _KIND.search(text), _METADATA.search(text)
    name = _NAME.search(metadata["lines"]) if metadata else None
    if kind is None or metadata is None or name is None:
        raise ValueError(f"no object of Kubernetes: {text[:200]}")
    namespace = _NAMESPACE.search(metadata["lines"])
    return Document(kind[1], name[1], namespace[1] if namespace else None, text)
