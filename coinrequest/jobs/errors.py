"""Errors of jobs."""

from coinrequest.errors import CoinrequestError


class JobUnknown(CoinrequestError):
    """No job has this id."""


class JobTypePaused(CoinrequestError):
    """The job type is paused, so it starts no jobs."""


class KeyReused(CoinrequestError):
    """The idempotency key belongs to another submission."""


class JobDone(CoinrequestError):
    """The job has ended, so it cannot be cancelled."""


class JobTypeGone(CoinrequestError):
    """The job's type was deleted, so Airflow would never run the job again."""


class JobNotFailed(CoinrequestError):
    """The job has not failed, so it cannot be retried."""
