"""The last lines of a log."""

import os
from pathlib import Path

_LONGEST_LINE = 300


def last_lines(path: Path, count: int = 20, start: int = 0) -> list[str]:
    """Return up to `count` last lines of a log, from byte `start` on; none if the file does not exist."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start, end - 400 * count))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    lines = text.splitlines()[-count:]
    return [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..." for line in lines]
