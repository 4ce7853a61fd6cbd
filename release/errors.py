"""What can go wrong with a release."""


class ReleaseError(Exception):
    """Something went wrong; the message says what, and how to go on."""


class Refused(ReleaseError):
    """The release does not begin; nothing was changed."""


class Failed(ReleaseError):
    """A step was done and did not reach what it is for."""
