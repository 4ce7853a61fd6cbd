"""The actions that are installed, found by entry point.

Any installed package may bring actions: it declares them in the entry point group `coinrequest.actions`, with
the action's name and the class that implements it; the format is described at
https://packaging.python.org/en/latest/specifications/entry-points/
Listing names imports no implementation; a task process imports only the action that it runs.
"""

import difflib
import functools
import inspect
import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from coinrequest.actions.base import Action

GROUP = "coinrequest.actions"

_logger = logging.getLogger(__name__)


class UnknownAction(LookupError):
    """No installed action has this name.

    Attributes:
        name: the name that was asked for.
        nearest: the most similar name that exists, or None.
    """

    def __init__(self, name: str, nearest: str | None) -> None:
        self.name = name
        self.nearest = nearest
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"there is no action {name!r}{hint}")


class BrokenAction(RuntimeError):
    """An entry point names something that cannot be imported, or that is not the action it claims to be."""


@functools.cache
def _entries() -> Mapping[str, EntryPoint]:
    """Read the entry points once; of two packages that claim one name the platform's own one wins."""
    entries: dict[str, EntryPoint] = {}
    # Sorted, so that every process comes to the same choice; own ones last, so that they stay.
    own_prefix = __name__.partition(".")[0] + "."
    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.value.startswith(own_prefix), entry.value))
    for entry in found:
        other = entries.get(entry.name)
        if other is not None and other.value != entry.value:
            _logger.warning(
                "action %s is declared by %s and by %s; the latter is used",
                entry.name,
                other.value,
                entry.value,
            )
        entries[entry.name] = entry
    return MappingProxyType(dict(sorted(entries.items())))


def action_names() -> tuple[str, ...]:
    """Return the names of all installed actions in alphabetical order, importing none of them."""
    return tuple(_entries())


@functools.cache
def find_action(name: str) -> type[Action[Any, Any]]:
    """Import one action.

    Args:
        name: such as `url.test`.

    Returns:
        Its class; `find_action(name)().run(inputs)` runs it.

    Raises:
        UnknownAction: nothing of this name is installed; it carries the nearest name.
        BrokenAction: the package that declares it does not keep what it declares.
    """
    entry = _entries().get(name)
    if entry is None:
        nearest = difflib.get_close_matches(name, action_names(), n=1, cutoff=0.5)
        raise UnknownAction(name, nearest[0] if nearest else None)
    try:
        action = entry.load()
    except Exception as error:  # another package's code: it may raise anything
        raise BrokenAction(f"action {name!r} cannot be loaded from {entry.value}: {error}") from error
    if not (isinstance(action, type) and issubclass(action, Action)):
        raise BrokenAction(f"{entry.value} is declared as action {name!r} and is not an Action")
    if action.name != name:
        raise BrokenAction(f"{entry.value} is declared as action {name!r} and calls itself {action.name!r}")
    return action


def actions() -> tuple[type[Action[Any, Any]], ...]:
    """Import all installed actions and return them by name.

    An action that cannot be loaded is logged and left out: a broken package must not hide the others.
    """
    found = []
    for name in action_names():
        try:
            found.append(find_action(name))
        except BrokenAction:
            _logger.exception("action %s is left out of the catalogue", name)
    return tuple(found)


def why_unavailable(action: type[Action[Any, Any]]) -> str | None:
    """Return why an action is switched off here, and the remedy, as it says itself; None: it can be used."""
    try:
        return action.unavailable()
    except Exception:
        _logger.exception("action %s cannot say whether it is available", action.name)
        return f"{action.name} cannot say whether it can be used here; the log says why"


def describe(action: type[Action[Any, Any]]) -> dict[str, Any]:
    """Return what a person needs to use an action, as plain JSON.

    Returns:
        `name`, `summary`, `available`, `unavailable` (why not, and the remedy), `failures` (`name` and `summary` of
        each), and the JSON Schemas (draft 2020-12) `inputs` and `result`.
    """
    return {
        **summarise(action),
        "inputs": action.Inputs.model_json_schema(mode="validation"),
        "result": action.Result.model_json_schema(mode="serialization"),
    }


def summarise(action: type[Action[Any, Any]]) -> dict[str, Any]:
    """Return what `describe` does, without the schemas."""
    reason = why_unavailable(action)
    return {
        "name": action.name,
        "summary": action.summary,
        "available": reason is None,
        "unavailable": reason,
        "failures": [
            {"name": failure.__name__, "summary": (inspect.getdoc(failure) or "").partition("\n")[0]}
            for failure in action.failures
        ],
    }
