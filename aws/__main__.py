"""`python -m aws`."""

import sys

from aws.cli import main
from release.interruption import handle_signals

if __name__ == "__main__":
    handle_signals()
    sys.exit(main())
