"""The policies in what Terraform describes, and their stars."""

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from terraform_plans import Plan, resources

Statement = dict[str, Any]


@dataclass(frozen=True)
class Star:
    """A star in what a policy allows.

    Attributes:
        address: of the resource with the policy.
        statement: its Sid.
        element: Action, Resource or Principal.
        value: `kms:*`, `*`, ...
    """

    address: str
    statement: str
    element: str
    value: str


@dataclass(frozen=True)
class Allowed:
    """A star that is meant, and why; `address` is a pattern as of a shell, the others are as they are."""

    address: str
    statement: str
    element: str
    value: str
    reason: str

    def covers(self, star: Star) -> bool:
        """Say whether it is this one."""
        return fnmatch.fnmatchcase(star.address, self.address.replace("[", "[[]")) and (
            (star.statement, star.element, star.value) == (self.statement, self.element, self.value)
        )


def statements(described: Plan) -> Iterator[tuple[str, Statement]]:
    """Yield each statement of each policy with the address of the resource that it is in."""
    for address, values in resources(described).items():
        for text in _texts(values):
            if text.lstrip().startswith("{") and '"Statement"' in text:
                found = json.loads(text)["Statement"]
                for statement in found if isinstance(found, list) else [found]:
                    yield address, statement


def stars(described: Plan) -> Iterator[Star]:
    """Yield every star in statements that allow something; in one that refuses, a star is as it should be."""
    for address, statement in statements(described):
        if statement["Effect"] == "Allow":
            for element in ("Action", "NotAction", "Resource", "NotResource", "Principal"):
                for value in _texts(statement.get(element)):
                    if "*" in value:
                        yield Star(address, statement.get("Sid", ""), element, value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
