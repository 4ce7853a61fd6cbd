"""Run a command, and restart it when a file changes: `python reload.py FOLDER... -- COMMAND...`, for development.

After a change, or a SIGTERM to this process, the command gets SIGTERM and as much time as it needs to stop: an agent
finishes its tasks first. (The command line of `watchfiles` kills it after 5 s.) If the command ends by itself, this
process ends with the same exit code, and so does the container.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from watchfiles import watch

_INTERVAL_MILLISECONDS = 1000


def run(folders: Sequence[str], command: Sequence[str]) -> int:
    """Run the command until it ends by itself or this process is asked to stop.

    Args:
        folders: the folders to watch, with everything below them.
        command: the program and its arguments.

    Returns:
        The exit code of the command's last run; if a signal ended it, 128 plus its number, as in a shell.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    process = subprocess.Popen(command)
    for changes in watch(*folders, stop_event=stop, rust_timeout=_INTERVAL_MILLISECONDS, yield_on_timeout=True):
        if process.poll() is not None:
            break
        if changes:
            sys.stderr.write(f"reload: {', '.join(sorted({path for _, path in changes}))}\n")
            process.terminate()
            process.wait()
            if not stop.is_set():
                process = subprocess.Popen(command)
    process.terminate()
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    split = sys.argv.index("--")
    sys.exit(run(sys.argv[1:split], sys.argv[split + 1 :]))
