"""The errors of the stack."""

from coinrequest.errors import CoinrequestError


class StackError(CoinrequestError):
    """The stack cannot do what was asked; the message has the reason and a remedy."""


class StackNotRunning(StackError):
    """The stack is down."""


class StartFailed(StackError):
    """A process did not start; the message has its last log lines."""
