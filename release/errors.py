"""The errors of a release."""


class ReleaseError(Exception):
    """Something went wrong; the message says what, and how to go on."""


class Refused(ReleaseError):
    """Nothing was started or changed."""


class Failed(ReleaseError):
    """A step did not succeed."""
