"""What a plan of Terraform in JSON says (https://developer.hashicorp.com/terraform/internals/json-format)."""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Plan = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One attribute of one resource that a plan changes.

    Attributes:
        address: `module.role["web"].aws_launch_template.this`.
        attribute: the first part of the path to it, or `(create)`, `(delete)`, `(replace)` for the whole resource.
        before: what it is now.
        after: what it shall be, as far as that is known.
    """

    address: str
    attribute: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Expected:
    """A change that a plan may hold, and why. Patterns are as of a shell, but that brackets mean themselves."""

    address: str
    attribute: str
    reason: str

    def covers(self, change: Change) -> bool:
        """Say whether it is this one."""
        address = self.address.replace("[", "[[]")
        return fnmatch.fnmatchcase(change.address, address) and fnmatch.fnmatchcase(change.attribute, self.attribute)


def changes(plan: Plan) -> Iterator[Change]:
    """Yield every change of a resource and of an output."""
    for resource in plan.get("resource_changes", []):
        actions, change = resource["change"]["actions"], resource["change"]
        if actions == ["update"]:
            yield from _updates(resource["address"], change)
        elif actions not in (["no-op"], ["read"]):
            word = f"({'replace' if len(actions) > 1 else actions[0]})"
            yield Change(resource["address"], word, change["before"], change["after"])
    for name, change in plan.get("output_changes", {}).items():
        if change["actions"] != ["no-op"]:
            yield Change(f"output.{name}", "value", change["before"], change["after"])


def judge(found: Sequence[Change], expected: Sequence[Expected]) -> tuple[list[Change], list[Expected]]:
    """Return the changes that nobody expected, and the expectations that met none."""
    unexpected = [change for change in found if not any(one.covers(change) for one in expected)]
    unused = [one for one in expected if not any(one.covers(change) for change in found)]
    return unexpected, unused


def resources(described: Plan, kind: str = "*") -> dict[str, dict[str, Any]]:
    """Return the values of each resource that there is in a state, or will be after a plan, by address.

    Args:
        described: the state or the plan; of a plan, what is known only later is left out.
        kind: a pattern of types.
    """
    values = described.get("planned_values") or described["values"]
    return dict(_resources(values["root_module"], kind))


def _resources(module: Mapping[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in module.get("resources", []):
        if resource["mode"] == "managed" and fnmatch.fnmatchcase(resource["type"], kind):
            yield resource["address"], resource.get("values", {})
    for child in module.get("child_modules", []):
        yield from _resources(child, kind)


def _updates(address: str, change: Mapping[str, Any]) -> Iterator[Change]:
    before, after, unknown = change["before"], change["after"], change["after_unknown"]
    for name in sorted({*before, *after, *unknown}):
        if _any_true(unknown.get(name)) or before.get(name) != after.get(name):
            yield Change(address, name, before.get(name), after.get(name))


def _any_true(value: Any) -> bool:
    """Say whether anything is unknown, at any depth."""
    if isinstance(value, dict | list):
        return any(_any_true(inner) for inner in (value.values() if isinstance(value, dict) else value))
    return bool(value)
