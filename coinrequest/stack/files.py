"""Writing small files so that no reader ever sees half of one."""

import json
import os
import tempfile
from pathlib import Path

_LONGEST_LINE = 300


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step; only the owner may read it (mode 0600 from its first byte on)."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, object]:
    """Return the JSON object in `path`; an absent file is an empty object.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f"{path} does not hold a JSON object")
    return document


def last_lines(path: Path, count: int = 20, start: int = 0) -> list[str]:
    """Return the last `count` lines of a log that were written after byte `start`; no file is no lines."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start, end - 400 * count))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    lines = text.splitlines()[-count:]
    return [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..." for line in lines]
