"""Converts outputs of tasks to readable text and to attachments of a mail."""

import csv
import io
import json
from typing import Any

from coinrequest.errors import CoinrequestError
from coinrequest.mail import Attachment

_CONTENT_TYPES = {
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "svg": "image/svg+xml",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}


class TableInvalid(CoinrequestError, ValueError):
    """The content cannot be written as a table."""


def readable_text(value: Any) -> str:
    """Convert JSON data to readable text: a text stays as it is, lists and objects become YAML."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, dict)):
        import yaml

        plain = list(value) if isinstance(value, tuple) else value
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return "" if value is None else str(value)


def make_attachment(name: str, content: Any, content_type: str | None = None) -> Attachment:
    """Make an attachment from JSON data. A text stays as it is; the extension decides the format of other data.

    Args:
        name: the file name: `.json` for JSON, `.csv` for a table, and any other extension for YAML.
        content: JSON data; for a table, a list of objects (their keys become the header) or a list of lists.
        content_type: None to derive it from the extension; plain text for unknown extensions.

    Raises:
        TableInvalid: the content of a `.csv` file is not a table.
    """
    extension = name.rpartition(".")[2].lower()
    if isinstance(content, str):
        text = content
    elif extension == "json":
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    elif extension == "csv":
        text = _table(name, content)
    else:
        text = readable_text(content)
    # JSON can contain lone surrogates, which UTF-8 cannot encode.
    data = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return Attachment(name, data, content_type or _CONTENT_TYPES.get(extension, "text/plain"))


def _table(name: str, content: Any) -> str:
    """Return comma-separated values (RFC 4180); cells with lists or objects contain JSON."""
    rows = [content] if isinstance(content, dict) else content
    if not isinstance(rows, (list, tuple)):
        raise TableInvalid(f"{name}: a table must be a list of objects or of lists, not {type(content).__name__}")
    written = io.StringIO()
    writer = csv.writer(written)
    if rows and all(isinstance(row, dict) for row in rows):
        columns = list(dict.fromkeys(column for row in rows for column in row))
        writer.writerow(columns)
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    elif all(isinstance(row, (list, tuple)) for row in rows):
        writer.writerows([_cell(value) for value in row] for row in rows)
    else:
        raise TableInvalid(f"{name}: a table must be a list of objects or of lists, not a mixture of both")
    return written.getvalue()


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
