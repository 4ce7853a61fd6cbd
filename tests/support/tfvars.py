"""Files of Terraform's variables, read without Terraform: texts, numbers, truths, lists and maps."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TOKEN = re.compile(r'\s*(?:#[^\n]*|(?P<token>"(?:[^"\\]|\\.)*"|[\w.-]+|[{}\[\]=,]))')
_WORDS = {"true": True, "false": False, "null": None}


def read_tfvars(path: Path) -> dict[str, Any]:
    """Return the values by name."""
    tokens = [match["token"] for match in _TOKEN.finditer(path.read_text().rstrip()) if match["token"]]
    return _map(iter([*tokens, "}"]))


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values with the paths to them: `database.multi_az`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def _map(tokens: Iterator[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for token in tokens:
        if token == "}":
            return values
        if token != ",":
            assert next(tokens) == "=", token
            values[token.strip('"')] = _value(next(tokens), tokens)
    raise ValueError("a map does not end")


def _value(token: str, tokens: Iterator[str]) -> Any:
    if token == "{":
        return _map(tokens)
    if token == "[":
        return [_value(one, tokens) for one in iter(lambda: next(tokens), "]") if one != ","]
    return _WORDS[token] if token in _WORDS else json.loads(token)
