"""The catalogue of installed actions.

Every installed package can provide actions. It declares the name and the class of each in the entry point group
`coinrequest.actions` (https://packaging.python.org/en/latest/specifications/entry-points/). Listing the names imports
no action, and a task process imports only the action that it runs.

A running process finds actions that are installed later: nobody has to restart it. It keeps the code of an action that
it has loaded, so a new version of an action needs a restart.
"""

import difflib
import functools
import importlib
import inspect
import logging
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from coinrequest.actions.base import Action
from coinrequest.errors import CoinrequestError

GROUP = "coinrequest.actions"
_LONGEST_ERROR = 300

log = logging.getLogger(__name__)


class UnknownAction(CoinrequestError, LookupError):
    """No installed action has this name.

    Attributes:
        name: the unknown name.
        nearest: the most similar name of an action, or None.
    """

    def __init__(self, name: str, nearest: str | None) -> None:
        self.name = name
        self.nearest = nearest
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"there is no action {name!r}{hint}")


class BrokenAction(CoinrequestError, RuntimeError):
    """An entry point cannot be imported, or is not the action that it declares."""


# When the folders of installed packages last changed, as of the last look at the entry points.
_looked_at: tuple[int, ...] = ()


@functools.cache
def _entries() -> Mapping[str, EntryPoint]:
    """Return the entry points by name. If two packages declare the same name, a built-in action wins."""
    global _looked_at
    _looked_at = _installed_at()
    entries: dict[str, EntryPoint] = {}
    # Sorted, so that all processes make the same choice; built-in actions come last and replace others.
    own_prefix = __name__.partition(".")[0] + "."
    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.value.startswith(own_prefix), entry.value))
    for entry in found:
        other = entries.get(entry.name)
        if other is not None and other.value != entry.value:
            log.warning(
                "The action %s is declared by %s and by %s; using the latter",
                entry.name,
                other.value,
                entry.value,
            )
        entries[entry.name] = entry
    return MappingProxyType(dict(sorted(entries.items())))


def _installed_at() -> tuple[int, ...]:
    """Return when the folders that may hold packages last changed; installing a package changes one of them."""
    found = []
    for folder in sys.path:
        try:
            found.append(Path(folder or ".").stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


def _look_again() -> None:
    """Forget the entry points if a package was installed or removed since they were read."""
    if _entries.cache_info().currsize and _installed_at() != _looked_at:
        importlib.invalidate_caches()
        _entries.cache_clear()


def action_names() -> tuple[str, ...]:
    """Return the names of all installed actions in alphabetical order, without importing them."""
    _look_again()
    return tuple(_entries())


def is_built_in(name: str) -> bool:
    """Return whether an action comes with this package, so that all processes of a release have it."""
    entry = _entries().get(name)
    return entry is not None and entry.value.startswith(__name__.partition(".")[0] + ".")


def action_versions() -> Mapping[str, str]:
    """Return the package and version of each installed action, such as `coinrequest 0.2.0`, without importing them."""
    _look_again()
    return {
        name: f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
        for name, entry in _entries().items()
    }


@functools.cache
def find_action(name: str) -> type[Action[Any, Any]]:
    """Import an action.

    Args:
        name: the name of the action, such as `url.test`.

    Returns:
        The class; `find_action(name)().run(inputs)` runs it.

    Raises:
        UnknownAction: no installed action has this name.
        BrokenAction: the action cannot be imported, or is not the action that its package declares.
    """
    entry = _entries().get(name)
    if entry is None:
        # Only now, so that tasks of known actions are spared.
        _look_again()
        entry = _entries().get(name)
    if entry is None:
        nearest = difflib.get_close_matches(name, action_names(), n=1, cutoff=0.5)
        raise UnknownAction(name, nearest[0] if nearest else None)
    try:
        action = entry.load()
    except Exception as error:  # another package's code: it may raise anything
        raise BrokenAction(f"the action {name!r} cannot be loaded from {entry.value}: {error}") from error
    if not (isinstance(action, type) and issubclass(action, Action)):
        raise BrokenAction(f"{entry.value} is declared as action {name!r} but is not an Action")
    if action.name != name:
        raise BrokenAction(f"{entry.value} is declared as action {name!r} but its name is {action.name!r}")
    return action


def actions() -> tuple[type[Action[Any, Any]], ...]:
    """Import all installed actions and return them in the order of their names.

    Actions that cannot be loaded are logged and skipped, so that a broken package does not affect the others.
    """
    found = []
    for name in action_names():
        try:
            found.append(find_action(name))
        except BrokenAction:
            log.exception("Skipping the broken action %s", name)
    return tuple(found)


def why_unavailable(action: type[Action[Any, Any]]) -> str | None:
    """Return why this installation does not allow an action, with the remedy; None if it is available."""
    try:
        return action.unavailable()
    except Exception as error:
        log.exception("Checking whether the action %s is available failed", action.name)
        return (
            f"checking whether {action.name} is available failed ({described(error)}); an administrator has to repair "
            "its package or its settings"
        )


def doubts_about(action: type[Action[Any, Any]], inputs: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what this installation lacks for some inputs of an action, by input; nothing if the action cannot tell."""
    try:
        return {str(field): str(message) for field, message in action.doubts(inputs).items()}
    except Exception:
        log.exception("Checking what the action %s lacks failed", action.name)
        return {}


def described(error: Exception) -> str:
    """Return what another package's code raised, on one line and not too long."""
    text = " ".join(str(error).split())[:_LONGEST_ERROR]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def describe(action: type[Action[Any, Any]]) -> dict[str, Any]:
    """Return the documentation of an action as JSON data.

    Returns:
        `name`, `summary`, `available`, `unavailable` (the reason and the remedy), `failures` (`name` and `summary` of
        each), and the JSON Schemas (draft 2020-12) `inputs` and `result`.
    """
    return {
        **summarise(action),
        "inputs": action.Inputs.model_json_schema(mode="validation"),
        "result": action.Result.model_json_schema(mode="serialization"),
    }


def summarise(action: type[Action[Any, Any]]) -> dict[str, Any]:
    """Return the same as `describe` without the schemas."""
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
