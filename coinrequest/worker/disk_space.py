"""Whether an agent can write what a task leaves on its disk: the log, and the files of its job type."""

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

# A task's log is short, but there are many at a time. Below this, no task is begun.
LEAST_BYTES = 16 * 1024 * 1024
LEAST_FILES = 100
# Seconds.
EVERY = 2.0
_SILENT_AFTER = 20.0


def folders() -> tuple[Path, ...]:
    """Return the folders that tasks write in (Airflow 3.3.2)."""
    from airflow.configuration import conf
    from airflow.dag_processing.bundles.base import get_bundle_storage_root_path

    return Path(conf.get("logging", "base_log_folder")), get_bundle_storage_root_path()


def trouble(where: Sequence[Path]) -> str | None:
    """Return why a task could not write in one of these folders; None: it could."""
    for folder in where:
        reason = _trouble(folder)
        if reason is not None:
            return f"it cannot write in {folder}: {reason}"
    return None


def _trouble(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        status = os.statvfs(folder)
        # A full disk is one reason; a folder that is read-only or another's, or a quota, are others.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".room-") as probe:
            probe.write(bytes(4096))
            probe.flush()
    except OSError as error:
        return error.strerror or type(error).__name__
    left = status.f_bavail * status.f_frsize
    if left < LEAST_BYTES:
        return f"{left // 1024} KiB are left on the disk, and tasks need {LEAST_BYTES // 1024}"
    if status.f_files and status.f_favail < LEAST_FILES:
        return f"the disk has room for {status.f_favail} files, and tasks need {LEAST_FILES}"
    return None


class RoomWatch:
    """Looks again and again, in a thread of its own: a disk that hangs must not hold up who asks.

    Args:
        where: the folders.
    """

    def __init__(self, where: Sequence[Path]) -> None:
        self._where = where
        self._found = trouble(where)
        self._looked = time.monotonic()
        threading.Thread(target=self._look, name="room", daemon=True).start()

    def trouble(self) -> str | None:
        """Return what was found last, or that nothing was found for long."""
        silent = time.monotonic() - self._looked
        if silent > _SILENT_AFTER:
            return f"its disk does not answer since {silent:.0f} s"
        return self._found

    def _look(self) -> None:
        while True:
            time.sleep(EVERY)
            self._found = trouble(self._where)
            self._looked = time.monotonic()
