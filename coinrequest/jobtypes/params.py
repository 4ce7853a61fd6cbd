"""Checks of a job's params by the JSON Schema of its type, with defaults filled in."""

import copy
import json
import re
import time
from collections.abc import Mapping, Set
from typing import Any

from coinrequest.errors import CoinrequestError, FieldError
from coinrequest.jobtypes.errors import DocumentTooLarge, ParamsInvalid
from coinrequest.jobtypes.grammar import Definition
from coinrequest.jobtypes.marked_numbers import mark_params, unmark_params
from coinrequest.jobtypes.plain import plain_errors

MAX_PARAMS_BYTES = 64 * 1024
# A definition of 64 KiB can refer to one long default five hundred times.
MAX_FILLED_BYTES = 256 * 1024
MAX_STEPS = 250_000
MAX_SECONDS = 1.0
_STEPS_BETWEEN_CHECKS = 1_000
_STEPS_OF_A_REFERENCE = 50
_CHARACTERS_OF_A_STEP = 20
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)


def check_params(definition: Definition, params: Mapping[str, object]) -> dict[str, Any]:
    """Check a job's params.

    Args:
        definition: the type of the job.
        params: plain JSON values; they are not changed.

    Returns:
        A copy of the params, with the defaults of absent properties, also in nested objects.

    Raises:
        DocumentTooLarge: they exceed 64 KiB as JSON, or 256 KiB with the defaults and the marks of numbers.
        ParamsInvalid: they do not fit the params schema of the type; all errors at once.
    """
    if errors := plain_errors(params, "params"):
        raise ParamsInvalid(errors)
    _limit_size("params", params, MAX_PARAMS_BYTES)
    if definition.params is None:
        if params:
            raise ParamsInvalid([FieldError(f"params.{name}", "the type takes no params") for name in params])
        return {}
    # Imported here because jsonschema takes 0.1 s to import; agents import it before they fork.
    from coinrequest.jobtypes.expansion import params_errors
    from coinrequest.jobtypes.json_schema import instance_errors

    root = SchemaRoot(definition.params)
    try:
        filled: dict[str, Any] = with_defaults(definition.params, params, root)
        errors = instance_errors(definition.params, filled, "params", root)
    except (SchemaTooComplex, RecursionError, OverflowError):
        raise ParamsInvalid([FieldError("params", "are too complex to be checked")]) from None
    except SchemaUnsupported as error:
        raise ParamsInvalid([FieldError("params", f"the job type must be registered again: {error}")]) from None
    if errors := errors or list(params_errors(definition, filled)):
        raise ParamsInvalid(errors)
    _limit_size("params with their defaults", mark_params(filled), MAX_FILLED_BYTES)
    return filled


def check_run(definition: Definition, conf: Mapping[str, object] | None) -> dict[str, Any]:
    """Check the params of a run that may have been started in Airflow.

    Airflow's form cannot omit an optional param, and sends null. Where null is invalid, it counts as absent.

    Args:
        definition: the type of the job.
        conf: the conf of the run, in which numbers may be marked (`jobtypes/marked_numbers.py`).

    Returns:
        As `check_params`.

    Raises:
        DocumentTooLarge: as `check_params`.
        ParamsInvalid: as `check_params`.
    """
    given = unmark_params(conf or {})
    try:
        return check_params(definition, given)
    except ParamsInvalid:
        optional = _optional(definition)
        present = {name: value for name, value in given.items() if value is not None or name not in optional}
        if len(present) == len(given):
            raise
    return check_params(definition, present)


def _optional(definition: Definition) -> Set[str]:
    """Return the names of the declared params that may be absent and have no default."""
    root = SchemaRoot(definition.params or {})
    schema: Any = dereferenced(definition.params or {}, root)
    required: Set[str] = {*schema.get("required", ()), *with_defaults(schema, {}, root)}
    return set(schema.get("properties", ())) - required


def _limit_size(what: str, value: object, limit: int) -> None:
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > limit:
        raise DocumentTooLarge(what, size, limit)


class SchemaTooComplex(CoinrequestError, RuntimeError):
    """Validating a value by a schema takes more steps than are allowed."""


class SchemaUnsupported(CoinrequestError, ValueError):
    """A stored schema contains a keyword that is refused by now; the message names it."""


class SchemaRoot:
    """A whole schema, which `$ref` refer to, and the steps that remain for its validation.

    A `$ref` can lead to several others, and an entry of a list can be validated in a thousand ways, so a small schema
    can require any amount of work. A step takes about 2 µs. A limit on processor time backs up the limit on steps, for
    costs that the steps do not reflect.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._left = MAX_STEPS
        self._next_check = MAX_STEPS - _STEPS_BETWEEN_CHECKS
        self._end = time.thread_time() + MAX_SECONDS

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            SchemaTooComplex: no steps remain, or no processor time.
        """
        self._left -= steps
        if self._left < self._next_check:
            self._next_check = self._left - _STEPS_BETWEEN_CHECKS
            if self._left < 0 or time.thread_time() > self._end:
                raise SchemaTooComplex(f"more than {MAX_STEPS:,} steps or {MAX_SECONDS} s of processor time")

    def follow(self, reference: str) -> object:
        """Return the part of the schema that a local `$ref` refers to, or None.

        Raises:
            SchemaTooComplex: no steps remain.
        """
        self.spend(_STEPS_OF_A_REFERENCE + len(reference) // 10)
        return lookup(self._schema, reference)


def with_defaults(schema: object, value: Any, root: SchemaRoot) -> Any:
    """Return a deep copy of a value with the defaults of absent properties.

    Args:
        schema: the schema of the value; its `properties` are followed, also through `$ref`.
        value: plain JSON.
        root: the whole schema.

    Raises:
        SchemaTooComplex: its references do not end.
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
    """Follow `$ref`; the keywords beside it take precedence."""
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target = root.follow(schema["$ref"])
        root.spend(len(schema) + (len(target) if isinstance(target, Mapping) else 0))
        schema = {**target, **beside} if isinstance(target, Mapping) else beside
    return schema


def lookup(root: Mapping[str, Any], reference: str) -> object:
    """Return the part of a schema that a local `$ref` (a JSON pointer, RFC 6901) refers to, or None."""
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
