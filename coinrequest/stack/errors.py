"""What can go wrong with a stack, in words that say what to do."""


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message says why and what helps."""


class StackNotRunning(StackError):
    """The stack is down."""


class StartFailed(StackError):
    """A process did not come up; the message holds its last log lines."""
