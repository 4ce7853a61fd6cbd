"""Small private files, which are replaced atomically."""

import json
import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace the content of `path` atomically; only the owner may read the file (mode 0600 from the start)."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, object]:
    """Return the JSON object in `path`; an empty one if the file does not exist.

    Raises:
        ValueError: the file does not hold a JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f"{path} does not hold a JSON object")
    return document
