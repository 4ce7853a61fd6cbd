"""What can be wrong with a job."""


class JobUnknown(Exception):
    """No job has this id."""


class JobTypePaused(Exception):
    """The type is paused, so it starts no jobs."""


class KeyReused(Exception):
    """The idempotency key belongs to another submission."""


class JobDone(Exception):
    """The job has ended, so it cannot be cancelled."""


class JobTypeGone(Exception):
    """The job's type was deleted, so Airflow would never run the job again."""


class JobNotFailed(Exception):
    """The job has not failed, so it cannot be retried."""
