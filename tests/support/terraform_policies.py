"""The policies in what Terraform describes, and their stars."""

import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from support.terraform_plans import Plan, resources

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
class Reason:
    """Why a statement has stars.

    Attributes:
        address: of the resource with the policy, a pattern as of a shell but that brackets mean themselves.
        statement: its Sid.
        stars: element and value: `Action kms:*`. A tilde in it stands for any text without a star.
        reason: why.
    """

    address: str
    statement: str
    stars: tuple[str, ...]
    reason: str

    def covers(self, star: Star) -> bool:
        """Say whether it is about this star."""
        return (
            self.statement == star.statement
            and fnmatch.fnmatchcase(star.address, self.address.replace("[", "[[]"))
            and any(_matches(pattern, f"{star.element} {star.value}") for pattern in self.stars)
        )


def read_reasons(path: Path) -> list[Reason]:
    """Read the table."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Reason(one["address"], one["statement"], tuple(one["stars"]), one["reason"]) for one in entries]


def unused(reasons: list[Reason], found: list[Star]) -> list[str]:
    """Return the patterns that cover no star."""
    return [
        f"{one.address} {one.statement} {pattern}"
        for one in reasons
        for pattern in one.stars
        if not any(replace(one, stars=(pattern,)).covers(star) for star in found)
    ]


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(re.escape("~"), "[^*]*"), text) is not None


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
