"""Run a command, and run it anew when a file changes: `python reload.py FOLDER... -- COMMAND...`, for development.

A change, and a SIGTERM to this process, ask the command to end by SIGTERM, and give it all the time that it needs: an
agent ends its jobs first. (The command line of `watchfiles` kills after 5 s.) A command that ends by itself ends this
process with the same exit code, so that a container is as alive as what it runs.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from watchfiles import watch

_LOOK_MILLISECONDS = 1000


def run(folders: Sequence[str], command: Sequence[str]) -> int:
    """Run the command until it ends by itself or this process is told to stop.

    Args:
        folders: what is watched, with everything below.
        command: the program and its words.

    Returns:
        The exit code of the command's last run; 128 and the signal's number if one ended it, as in a shell.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    process = subprocess.Popen(command)
    for changes in watch(*folders, stop_event=stop, rust_timeout=_LOOK_MILLISECONDS, yield_on_timeout=True):
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
