"""What can be wrong with a job."""


class JobUnknown(Exception):
    """No job has this id."""


class JobTypePaused(Exception):
    """The type is paused, so it starts no jobs."""
