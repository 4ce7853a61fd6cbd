"""The words for each keyword of JSON Schema that a param can violate; none of the validator's own texts is shown."""

import json
from collections.abc import Mapping
from typing import Any

from coinrequest.jobtypes.suggestions import counted, hint, quoted

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object with fields",
    "null": "null",
}
_MOST_HINTS = 300
_BOUNDS = {
    "minimum": "must be at least",
    "maximum": "must be at most",
    "exclusiveMinimum": "must be greater than",
    "exclusiveMaximum": "must be less than",
    "multipleOf": "must be a multiple of",
}
_COUNTS = {
    "minLength": ("needs at least", "character", "characters"),
    "maxLength": ("has more than", "character", "characters"),
    "minItems": ("needs at least", "entry", "entries"),
    "maxItems": ("has more than", "entry", "entries"),
    "minProperties": ("needs at least", "field", "fields"),
    "maxProperties": ("has more than", "field", "fields"),
}
_FORMS = {
    "anyOf": "has none of the forms that the schema allows (anyOf)",
    "oneOf": "must have exactly one of the forms that the schema allows (oneOf)",
    "not": "has a form that the schema excludes (not)",
    "contains": "has no entry of the form that the schema asks for (contains)",
    "minContains": "has too few entries of the form that the schema asks for (minContains)",
    "maxContains": "has too many entries of the form that the schema asks for (maxContains)",
    "items": "has more entries than the schema allows",
}


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def message(keyword: str | None, path: list[str | int], error: Any) -> str:
    """Return what is wrong with a value.

    Args:
        keyword: the keyword of the schema that the value violates; None: the schema allows no value.
        path: of the value.
        error: of the validator.
    """
    wanted = error.validator_value
    match keyword:
        case "required":
            return "is required"
        case "additionalProperties" if wanted is False:
            what = "param" if len(path) == 1 else "field"
            return (
                f"there is no {what} {quoted(str(path[-1]))}{hint(str(path[-1]), error.schema.get('properties', {}))}"
            )
        case "type":
            kinds = [_KINDS.get(kind, kind) for kind in ([wanted] if isinstance(wanted, str) else wanted)]
            return f"must be {' or '.join(kinds)}"
        case "enum":
            listed = ", ".join(_shown(value)[:60] for value in wanted[:20])
            is_near = isinstance(error.instance, str) and len(wanted) <= _MOST_HINTS
            near = hint(error.instance, [value for value in wanted if isinstance(value, str)]) if is_near else ""
            return f"must be one of {listed}{near if near.startswith('; did') else ''}"
        case "const":
            return f"must be {_shown(wanted)[:200]}"
        case "pattern":
            return f"must match the pattern {wanted[:200]}"
        case "format":
            return f"must be of the format {wanted}"
        case "uniqueItems":
            return "contains an entry twice"
    if keyword in _BOUNDS:
        return f"{_BOUNDS[keyword]} {wanted}"
    if keyword in _COUNTS:
        words, one, many = _COUNTS[keyword]
        return f"{words} {counted(wanted, one, many)}"
    if keyword == "dependentRequired":
        return _dependency(wanted, error.instance)
    return _FORMS.get(keyword or "", "has no value that the schema allows here")


def _dependency(wanted: Mapping[str, Any], instance: Any) -> str:
    pairs = ((name, needed) for name, others in wanted.items() if name in instance for needed in others)
    name, needed = next(((name, needed) for name, needed in pairs if needed not in instance), ("", ""))
    return f"needs the field {quoted(needed)}, because it has {quoted(name)}"
