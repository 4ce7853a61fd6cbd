"""`python -m coinrequest.stack up|down|status|logs|restart`."""

import sys

from coinrequest.stack.command import main

if __name__ == "__main__":
    sys.exit(main())
