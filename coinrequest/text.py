"""Text as every consumer of a result can store it.

PostgreSQL stores neither NUL nor half of a surrogate pair, and UTF-8 has no bytes for the latter. They arrive as the
JSON escapes `\\u0000` and `\\ud83d`, or as bytes in a wrong encoding. In results, U+FFFD, the Unicode replacement
character, stands for each of them; what people send, such as params and labels, is refused instead.
"""

import re
from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\ufffd"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Return whether every consumer can store a text."""
    return "\x00" not in text and (text.isascii() or _UNSTORABLE.search(text) is None)


def storable_text(text: str) -> str:
    """Return a text with U+FFFD in place of each NUL and each half of a surrogate pair."""
    return text if is_storable(text) else _UNSTORABLE.sub(REPLACEMENT, text)


def storable(value: Any, places: dict[str, int] | None = None, at: str = "") -> Any:
    """Return a copy of JSON data in which U+FFFD stands for each NUL and each half of a surrogate pair, keys included.

    Args:
        value: JSON data of a bounded depth.
        places: receives how many characters were replaced at each path, such as `rows.0.name`.
        at: the path of the value.
    """
    if isinstance(value, str):
        if places is not None and not is_storable(value):
            places[at] = places.get(at, 0) + len(_UNSTORABLE.findall(value))
        return storable_text(value)
    if isinstance(value, Mapping):
        copy: dict[Any, Any] = {}
        numbers: dict[str, int] = {}
        for name, item in value.items():
            key = _unused(storable_text(name), copy, numbers) if isinstance(name, str) else name
            inside = _inside(at, key)
            storable(name, places, inside)
            copy[key] = storable(item, places, inside)
        return copy
    if isinstance(value, list | tuple):
        return [storable(item, places, _inside(at, index)) for index, item in enumerate(value)]
    return value


def _unused(key: str, taken: Mapping[str, Any], numbers: dict[str, int]) -> str:
    """Return the key, with a number behind it if another key has become the same: no value may be lost."""
    found = key
    while found in taken:
        # The numbers are kept, because an object may have thousands of such keys.
        numbers[key] = numbers.get(key, 1) + 1
        found = f"{key} ({numbers[key]})"
    return found


def _inside(at: str, name: object) -> str:
    return f"{at}.{name}" if at else str(name)
