"""Any output as text that a person reads, or as a file that goes with a mail."""

import csv
import io
import json
from typing import Any

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


class TableInvalid(ValueError):
    """This is not a table."""


def readable_text(value: Any) -> str:
    """Write any JSON as text that a person reads: a text as it is, a list or an object as YAML."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, dict)):
        import yaml

        plain = list(value) if isinstance(value, tuple) else value
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return "" if value is None else str(value)


def make_attachment(name: str, content: Any, content_type: str | None = None) -> Attachment:
    """Make a file of any output: a text as it is, anything else in the format that the name's ending says.

    Args:
        name: `.json` is JSON, `.csv` a table, everything else YAML.
        content: any JSON; for a table a list of objects (their names are the first row) or a list of lists.
        content_type: None: by the name's ending, or else plain text.

    Raises:
        TableInvalid: the name says that it is a table, and the content is none.
    """
    ending = name.rpartition(".")[2].lower()
    if isinstance(content, str):
        text = content
    elif ending == "json":
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    elif ending == "csv":
        text = _table(name, content)
    else:
        text = readable_text(content)
    # JSON can hold lone surrogates, which no file can.
    data = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return Attachment(name, data, content_type or _CONTENT_TYPES.get(ending, "text/plain"))


def _table(name: str, content: Any) -> str:
    """Write comma-separated values as RFC 4180 describes them; a cell that is a list or an object holds JSON."""
    rows = [content] if isinstance(content, dict) else content
    if not isinstance(rows, (list, tuple)):
        raise TableInvalid(f"{name}: a table is a list of objects or a list of lists, not {type(content).__name__}")
    written = io.StringIO()
    writer = csv.writer(written)
    if rows and all(isinstance(row, dict) for row in rows):
        columns = list(dict.fromkeys(column for row in rows for column in row))
        writer.writerow(columns)
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    elif all(isinstance(row, (list, tuple)) for row in rows):
        writer.writerows([_cell(value) for value in row] for row in rows)
    else:
        raise TableInvalid(f"{name}: a table is a list of objects or a list of lists, and all rows are of one kind")
    return written.getvalue()


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
