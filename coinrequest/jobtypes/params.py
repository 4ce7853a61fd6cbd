"""Checks the params of a job against the JSON Schema of its type, and fills in defaults."""

import copy
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from coinrequest.errors import CoinrequestError, FieldError
from coinrequest.jobtypes.errors import DocumentTooLarge, ParamsInvalid
from coinrequest.jobtypes.grammar import Definition
from coinrequest.jobtypes.plain import plain_errors

MAX_PARAMS_BYTES = 64 * 1024
# A definition of 64 KiB can name one long default five hundred times.
MAX_FILLED_BYTES = 256 * 1024
MAX_STEPS = 250_000
MAX_SECONDS = 1.0
_STEPS_BETWEEN_LOOKS = 1_000
_STEPS_OF_A_REFERENCE = 50
_CHARACTERS_OF_A_STEP = 20
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)


def check_params(definition: Definition, params: Mapping[str, object]) -> dict[str, Any]:
    """Check a job's params.

    Args:
        definition: the type of the job.
        params: plain JSON values; they are not changed.

    Returns:
        A copy of the params, with the defaults of properties that are absent, also inside nested objects.

    Raises:
        DocumentTooLarge: they are longer than 64 KiB as JSON, or than 256 KiB with the defaults.
        ParamsInvalid: they do not fit the type's params schema; all errors at once.
    """
    if errors := plain_errors(params, "params", bits=64):
        raise ParamsInvalid(errors)
    _limit_size("params", params, MAX_PARAMS_BYTES)
    if definition.params is None:
        if params:
            raise ParamsInvalid([FieldError(f"params.{name}", "the type takes no params") for name in params])
        return {}
    # Imported here because jsonschema takes a tenth of a second to import; an agent has it before it forks.
    from coinrequest.jobtypes.expansion import params_errors
    from coinrequest.jobtypes.json_schema import instance_errors

    root = SchemaRoot(definition.params)
    try:
        filled: dict[str, Any] = with_defaults(definition.params, params, root)
        errors = instance_errors(definition.params, filled, "params", root)
    except (SchemaTooComplex, RecursionError, OverflowError):
        raise ParamsInvalid([FieldError("params", "are too complex to be checked")]) from None
    except SchemaUnsupported as error:
        raise ParamsInvalid([FieldError("params", f"the schema has to be registered anew: {error}")]) from None
    if errors := errors or list(params_errors(definition, filled)):
        raise ParamsInvalid(errors)
    _limit_size("params with their defaults", filled, MAX_FILLED_BYTES)
    return filled


def check_run(definition: Definition, conf: Mapping[str, object] | None) -> dict[str, Any]:
    """Check the params of a run that Airflow may have started.

    Airflow's form cannot leave an optional param out; it sends null. Where null is wrong, it counts as absent.

    Args:
        definition: the type of the job.
        conf: what the run was started with.

    Returns:
        As `check_params`.

    Raises:
        DocumentTooLarge: as `check_params`.
        ParamsInvalid: as `check_params`.
    """
    given = conf or {}
    try:
        return check_params(definition, given)
    except ParamsInvalid:
        present = {name: value for name, value in given.items() if value is not None or not _optional(definition, name)}
        if len(present) == len(given):
            raise
    return check_params(definition, present)


def _optional(definition: Definition, name: str) -> bool:
    """Return whether a declared param may be absent and has no default."""
    schema = definition.params or {}
    declared = schema.get("properties", {}).get(name)
    return isinstance(declared, Mapping) and "default" not in declared and name not in schema.get("required", ())


def _limit_size(what: str, value: object, limit: int) -> None:
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > limit:
        raise DocumentTooLarge(what, size, limit)


class SchemaTooComplex(CoinrequestError, RuntimeError):
    """Checking a value against a schema takes more steps than the platform spends on it."""


class SchemaUnsupported(CoinrequestError, ValueError):
    """A stored schema holds what is refused by now; the message says what."""


class SchemaRoot:
    """A whole schema, into which `$ref` point, and how much may still be done with it.

    Each `$ref` can lead to several others, and each entry of a list can be checked in a thousand ways, so a small
    schema can ask for more work than anybody has time for. A step takes about 2 µs; the limit on processor time
    stands behind the number of steps, for what they do not foresee.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._left = MAX_STEPS
        self._look_at = MAX_STEPS - _STEPS_BETWEEN_LOOKS
        self._end = time.thread_time() + MAX_SECONDS

    def spend(self, steps: int) -> None:
        """Take steps.

        Raises:
            SchemaTooComplex: there are not so many left, or no time.
        """
        self._left -= steps
        if self._left < self._look_at:
            self._look_at = self._left - _STEPS_BETWEEN_LOOKS
            if self._left < 0 or time.thread_time() > self._end:
                raise SchemaTooComplex(f"more than {MAX_STEPS:,} steps or {MAX_SECONDS} s of processor time")

    def follow(self, reference: str) -> object:
        """Return the part of the schema that a local `$ref` leads to, or None.

        Raises:
            SchemaTooComplex: too many have been followed.
        """
        self.spend(_STEPS_OF_A_REFERENCE + len(reference) // 10)
        return lookup(self._schema, reference)


def with_defaults(schema: object, value: Any, root: SchemaRoot) -> Any:
    """Return a deep copy of a value with the defaults of absent properties.

    Args:
        schema: the schema of the value, whose `properties` are followed, also through `$ref`.
        value: plain JSON.
        root: the whole schema, into which `$ref` point.

    Raises:
        SchemaTooComplex: its references lead on and on.
    """
    schema = dereferenced(schema, root)
    if not isinstance(value, Mapping):
        return copy.deepcopy(value)
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    properties = properties if isinstance(properties, Mapping) else {}
    filled = {name: with_defaults(properties.get(name), inner, root) for name, inner in value.items()}
    for name, inner in properties.items():
        inner = dereferenced(inner, root)
        if name not in filled and isinstance(inner, Mapping) and "default" in inner:
            root.spend(1 + len(json.dumps(inner["default"])) // _CHARACTERS_OF_A_STEP)
            filled[name] = with_defaults(inner, inner["default"], root)
    return filled


def dereferenced(schema: object, root: SchemaRoot) -> object:
    """Follow `$ref`; what stands beside it counts first."""
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target = root.follow(schema["$ref"])
        root.spend(len(schema) + (len(target) if isinstance(target, Mapping) else 0))
        schema = {**target, **beside} if isinstance(target, Mapping) else beside
    return schema


def lookup(root: Mapping[str, Any], reference: str) -> object:
    """Return the part of a schema that a local `$ref` (a JSON pointer, RFC 6901) leads to, or None."""
    found: object = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list | tuple) and _INDEX.fullmatch(key) and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found
