"""`python -m aws`."""

import signal
import sys
from types import FrameType

from aws.cli import main


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Ended from outside, Terraform is stopped as it is after Ctrl-C: it writes its state first.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(main())
