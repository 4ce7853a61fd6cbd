"""Times that people write, within what Python, PostgreSQL and Airflow hold in every zone."""

from datetime import UTC, datetime, timedelta

EARLIEST_START = datetime(2000, 1, 1, tzinfo=UTC)
# Of what runs are about, such as a backfill's days.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
# Ten years with their leap days.
LONGEST_AHEAD = timedelta(days=3653)


def start_within_bounds(run_after: datetime) -> datetime:
    """Return when a job may start at the earliest, unchanged.

    Args:
        run_after: with a zone.

    Raises:
        ValueError: it is before the year 2000 or more than ten years ahead, in UTC.
    """
    reason = out_of_bounds(run_after, EARLIEST_START)
    if reason is not None:
        raise ValueError(f"{reason}; leave it out for a job that starts at once")
    return run_after


def out_of_bounds(time: datetime, earliest: datetime = EARLIEST) -> str | None:
    """Return what is wrong with a time with a zone that is before `earliest` or more than ten years ahead, in UTC."""
    latest = datetime.now(UTC) + LONGEST_AHEAD
    # Compared as it is: times at the ends of the calendar cannot be converted.
    if earliest <= time <= latest:
        return None
    return f"must be between {earliest:%Y-%m-%dT%H:%M:%SZ} and {latest:%Y-%m-%d}, ten years ahead"


def nearest_in_utc(time: datetime) -> datetime:
    """Return a time in UTC, or the nearest that UTC has in the years 1 to 9999.

    PostgreSQL reads no offset of 16 hours or more.
    """
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if time.year == 1 else datetime.max.replace(tzinfo=UTC)
