"""What a container writes: its end is kept, its lines are counted, its last line may be a result."""

import json
from typing import Any

TAIL_LIMIT = 65_536


class Output:
    """The end of what was written, at most 64 KiB. One thread writes, others may read the counts."""

    def __init__(self) -> None:
        self._both = _Tail()
        # What is written to standard error meanwhile may come between, and after, the lines of standard output.
        self._standard = _Tail()
        self.lines = 0

    def add(self, chunk: bytes, *, is_error: bool = False) -> None:
        """Take what was written next, to standard error or, as far as is known, to standard output."""
        self.lines += chunk.count(b"\n")
        self._both.add(chunk)
        if not is_error:
            self._standard.add(chunk)

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return self._both.size

    @property
    def truncated(self) -> bool:
        """Whether the beginning is gone."""
        return self._both.truncated

    @property
    def text(self) -> str:
        """The end as text; bytes that are none, and NUL, are replaced, for results are stored as JSON in PostgreSQL."""
        return self._both.text

    @property
    def document(self) -> Any:
        """The last line of standard output that is not empty, if it is JSON (RFC 8259), else None."""
        lines = self._standard.text.rstrip().splitlines()
        if not lines or (len(lines) == 1 and self._standard.truncated):
            return None
        try:
            return json.loads(lines[-1], parse_constant=_refuse)
        except (ValueError, RecursionError):
            return None


class _Tail:
    def __init__(self) -> None:
        self._end = bytearray()
        self.size = 0

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._end += chunk[-TAIL_LIMIT:]
        if len(self._end) > TAIL_LIMIT:
            del self._end[: len(self._end) - TAIL_LIMIT]

    @property
    def truncated(self) -> bool:
        return self.size > len(self._end)

    @property
    def text(self) -> str:
        # The first character may have been cut in two.
        return bytes(self._end).decode("utf-8", "replace").replace("\x00", "\ufffd").lstrip("\ufffd" * self.truncated)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
