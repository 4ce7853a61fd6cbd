"""`python3 -m release`."""

import sys

from release.cli import main
from release.interruption import handle_signals

if __name__ == "__main__":
    handle_signals()
    sys.exit(main())
