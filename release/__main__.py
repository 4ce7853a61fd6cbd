"""`python3 -m release`."""

import signal
import sys
from types import FrameType

from release.cli import main


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Ended from outside, a release rolls back as it does after Ctrl-C. A lost connection does not end it.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(main())
