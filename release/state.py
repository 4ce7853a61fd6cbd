"""What a machine remembers of its releases: a history that survives a fresh clone, a lock, and logs."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from release.errors import Refused

RELEASED = ("released", "rolled back by hand")


@dataclass(frozen=True)
class Entry:
    """One release: when (UTC, ISO 8601), of which image, by which account, and how it ended."""

    at: str
    image: str
    by: str
    outcome: str


def default_folder() -> Path:
    """Return `COINREQUEST_RELEASE_STATE`, or where the XDG Base Directory Specification keeps an account's state."""
    own = os.environ.get("COINREQUEST_RELEASE_STATE")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(own) if own else Path(state) / "coinrequest" / "releases"


class State:
    """The history and the lock of one installation.

    Args:
        folder: holds those of all installations that this account releases to.
        name: the installation, as a file name: `compose-coinrequest`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._history = folder / f"{name}.jsonl"
        self._lock = folder / f"{name}.lock"

    def history(self) -> list[Entry]:
        """Return the releases, the oldest first."""
        if not self._history.exists():
            return []
        return [Entry(**json.loads(line)) for line in self._history.read_text(encoding="utf-8").splitlines()]

    def add(self, image: str, by: str, outcome: str) -> None:
        """Write one more release down."""
        entry = Entry(datetime.now(UTC).isoformat(timespec="seconds"), image, by, outcome)
        self._history.parent.mkdir(parents=True, exist_ok=True)
        with self._history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(entry)) + "\n")

    def before(self, image: str | None) -> str | None:
        """Return the image that was released last and is not this one."""
        released = [entry.image for entry in self.history() if entry.outcome in RELEASED]
        return next((found for found in reversed(released) if found != image), None)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock. It ends with this process, however that ends.

        Raises:
            Refused: another process holds it.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise Refused(f"Another release is under way: {file.read().strip()} ({self._lock})") from None
            file.truncate(0)
            file.write(f"process {os.getpid()}, since {datetime.now(UTC).isoformat(timespec='seconds')}\n")
            file.flush()
            yield
