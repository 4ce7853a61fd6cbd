"""How deeply the data of an answer may be nested."""

from typing import Any

# pydantic allows 255 levels, with what stands around the value.
MAX_DEPTH = 200


def is_too_deep(value: Any, text: str) -> bool:
    """Return whether JSON data is nested deeper than 200 levels; `text` is the data as JSON."""
    return text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]:
        depth += 1
    return depth


def _inside(outer: Any) -> Any:
    return outer.values() if isinstance(outer, dict) else outer
