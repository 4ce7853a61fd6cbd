"""The output of a container: its end, the number of its lines, and the JSON in its last line."""

import json
from typing import Any

from coinrequest.finite_numbers import finite
from coinrequest.nesting import is_too_deep
from coinrequest.text import REPLACEMENT, storable_text

TAIL_LIMIT = 65_536


class Output:
    """The end of the output, at most 64 KiB. One thread adds to it; others may read the counts."""

    def __init__(self) -> None:
        self._both = _Tail()
        # Standard output alone, because lines of standard error may come between and after its lines.
        self._standard = _Tail()
        self.lines = 0

    def add(self, chunk: bytes, *, is_error: bool = False) -> None:
        """Add a chunk of standard error, or of standard output; Kubernetes does not tell them apart."""
        self.lines += chunk.count(b"\n")
        self._both.add(chunk)
        if not is_error:
            self._standard.add(chunk)

    @property
    def size(self) -> int:
        """The total number of bytes."""
        return self._both.size

    @property
    def truncated(self) -> bool:
        """Whether the beginning was dropped."""
        return self._both.truncated

    @property
    def text(self) -> str:
        """The end as text; U+FFFD stands for invalid bytes and for NUL."""
        return self._both.text

    @property
    def document(self) -> Any:
        """The last non-empty line of standard output if it is JSON (RFC 8259) that a result can hold, else None."""
        # A text in JSON may contain what Python counts as line ends, such as U+2028.
        before, _, line = self._standard.text.rstrip().rpartition("\n")
        if not before and self._standard.truncated:
            return None
        try:
            document = json.loads(line, parse_constant=finite, parse_float=finite)
        except (ValueError, RecursionError):
            return None
        return None if is_too_deep([document], line) else document


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
        # The first character may be incomplete.
        return storable_text(bytes(self._end).decode("utf-8", "replace")).lstrip(REPLACEMENT * self.truncated)
