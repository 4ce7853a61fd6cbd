"""Integers in strict models: `3.0` is one, as JSON Schema says, and a field for integers holds `3`."""

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

# The members of a core schema that hold values rather than schemas.
_VALUES = frozenset({"default", "expected", "metadata"})


def whole(value: Any) -> Any:
    """Return the integer that a float is, digit by digit as it is written; other values as they are."""
    if not isinstance(value, float) or not value.is_integer():
        return value
    from decimal import Decimal

    return int(Decimal(repr(value)))


def _converting(schema: Any) -> Any:
    if isinstance(schema, dict):
        if schema.get("type") == "int":
            return core_schema.no_info_before_validator_function(whole, schema)
        # A schema has a type; a mapping of fields to theirs may have a field of any name.
        kept = _VALUES if isinstance(schema.get("type"), str) else frozenset()
        return {key: value if key in kept else _converting(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_converting(value) for value in schema]
    return schema


class WholeNumbers(BaseModel):
    """A base class of models whose fields for integers take a float without a fraction."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Convert a float before each check of an integer."""
        schema: CoreSchema = _converting(handler(source))
        return schema
