"""What a machine keeps of its releases, outside the clone: a history and a lock."""

import fcntl
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from release.errors import Refused

RELEASED, ROLLED_BACK_BY_HAND = "released", "rolled back by hand"
SUCCESSFUL = (RELEASED, ROLLED_BACK_BY_HAND)
_SHOWN = 10


@dataclass(frozen=True)
class Entry:
    """One release: when (UTC, ISO 8601), of which image, by which account, and its outcome."""

    at: str
    image: str
    by: str
    outcome: str


def now() -> str:
    """Return the time as it is written down: UTC, ISO 8601, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def default_folder() -> Path:
    """Return `COINREQUEST_RELEASE_STATE`, or the account's state folder by the XDG Base Directory Specification."""
    own = os.environ.get("COINREQUEST_RELEASE_STATE")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(own) if own else Path(state) / "coinrequest" / "releases"


class State:
    """The history and the lock of one installation.

    Args:
        folder: holds those of all installations that this account releases to.
        name: the installation, as a file name: `compose-coinrequest`.
        dry_run: lock and write nothing.
    """

    def __init__(self, folder: Path, name: str, *, dry_run: bool = False) -> None:
        self._history = folder / f"{name}.jsonl"
        self._lock = folder / f"{name}.lock"
        self._dry_run = dry_run

    def history(self) -> list[Entry]:
        """Return the releases, the oldest first."""
        if not self._history.exists():
            return []
        return [Entry(**json.loads(line)) for line in self._history.read_text(encoding="utf-8").splitlines()]

    def shown(self) -> list[str]:
        """Return the last releases as lines of text."""
        last = reversed(self.history()[-_SHOWN:])
        return [
            "Releases by this account, the newest first:",
            *(f"  {entry.at}  {entry.image}  {entry.outcome} (by {entry.by})" for entry in last),
        ]

    def add(self, image: str, outcome: str) -> None:
        """Write down one more release, by the present account."""
        if self._dry_run:
            return
        self._history.parent.mkdir(parents=True, exist_ok=True)
        with self._history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(Entry(now(), image, getpass.getuser(), outcome))) + "\n")

    def before(self, image: str | None) -> str | None:
        """Return the last image that was released and is not this one."""
        released = [entry.image for entry in self.history() if entry.outcome in SUCCESSFUL]
        return next((found for found in reversed(released) if found != image), None)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock. However this process ends, the lock ends with it.

        Raises:
            Refused: another process holds it.
        """
        if self._dry_run:
            yield
            return
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise Refused(f"Another release is under way: {file.read().strip()} ({self._lock})") from None
            file.truncate(0)
            file.write(f"process {os.getpid()}, since {now()}\n")
            file.flush()
            yield
