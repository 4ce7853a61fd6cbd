"""Whether an agent has room on its disk for what a task writes: the log, and the files of its job type."""

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from coinrequest.limits import MEBIBYTE

# A task's log is short, but many tasks run at a time. With less room than this, the agent starts no task.
LEAST_BYTES = 16 * MEBIBYTE
LEAST_FILES = 100
# Seconds.
EVERY = 2.0
_UNRESPONSIVE_AFTER = 20.0


def folders() -> tuple[Path, ...]:
    """Return the folders that tasks write to (Airflow 3.3.2)."""
    from airflow.configuration import conf
    from airflow.dag_processing.bundles.base import get_bundle_storage_root_path

    return Path(conf.get("logging", "base_log_folder")), get_bundle_storage_root_path()


def problem(paths: Sequence[Path]) -> str | None:
    """Return why a task could not write to one of these folders; None if it could."""
    for folder in paths:
        reason = _problem_of(folder)
        if reason is not None:
            return f"it cannot write in {folder}: {reason}"
    return None


def _problem_of(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        status = os.statvfs(folder)
        # A full disk is only one reason; a read-only folder, the wrong owner or a quota are others.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
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


class DiskMonitor:
    """Checks folders again and again in a background thread, so that a disk that hangs blocks no caller."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._problem = problem(paths)
        self._checked = time.monotonic()
        threading.Thread(target=self._run, name="disk", daemon=True).start()

    def problem(self) -> str | None:
        """Return the problem that the last check found; None if there was none."""
        waiting = time.monotonic() - self._checked
        if waiting > _UNRESPONSIVE_AFTER:
            return f"its disk has not responded for {waiting:.0f} s"
        return self._problem

    def _run(self) -> None:
        while True:
            time.sleep(EVERY)
            self._problem = problem(self._paths)
            self._checked = time.monotonic()
