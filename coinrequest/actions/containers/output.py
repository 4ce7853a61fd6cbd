"""What a container writes: its end is kept, its lines are counted, its last line may be a result."""

import json
from typing import Any

TAIL_LIMIT = 65_536


class Output:
    """The end of what was written, at most 64 KiB. One thread writes, others may read the counts."""

    def __init__(self) -> None:
        self._tail = bytearray()
        self.size = 0
        self.lines = 0

    def add(self, chunk: bytes) -> None:
        """Take what was written next."""
        self.size += len(chunk)
        self.lines += chunk.count(b"\n")
        self._tail += chunk[-TAIL_LIMIT:]
        if len(self._tail) > TAIL_LIMIT:
            del self._tail[: len(self._tail) - TAIL_LIMIT]

    @property
    def truncated(self) -> bool:
        """Whether the beginning is gone."""
        return self.size > len(self._tail)

    @property
    def text(self) -> str:
        """The end as text; bytes that are none, and NUL, are replaced, for results are stored as JSON in PostgreSQL."""
        # The first character may have been cut in two.
        return bytes(self._tail).decode("utf-8", "replace").replace("\x00", "\ufffd").lstrip("\ufffd" * self.truncated)

    @property
    def document(self) -> Any:
        """The last line that is not empty, if it is JSON (RFC 8259), else None."""
        lines = self.text.rstrip().splitlines()
        if not lines or (len(lines) == 1 and self.truncated):
            return None
        try:
            return json.loads(lines[-1], parse_constant=_refuse)
        except (ValueError, RecursionError):
            return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
