"""Bounds of times in requests, so that Python, PostgreSQL and Airflow can represent them in every time zone."""

from datetime import UTC, datetime, timedelta

EARLIEST_START = datetime(2000, 1, 1, tzinfo=UTC)
# For the times that runs are about, such as the days of a backfill.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
# Ten years, including leap days.
LONGEST_AHEAD = timedelta(days=3653)


def start_within_bounds(run_after: datetime) -> datetime:
    """Return the earliest start of a job, unchanged.

    Args:
        run_after: the earliest start, with a zone.

    Raises:
        ValueError: it is before the year 2000, or more than ten years ahead, in UTC.
    """
    reason = out_of_bounds(run_after, EARLIEST_START)
    if reason is not None:
        raise ValueError(f"{reason}; omit it to start the job at once")
    return run_after


def out_of_bounds(time: datetime, earliest: datetime = EARLIEST) -> str | None:
    """Return an error if a time with a zone is before `earliest`, or more than ten years ahead, in UTC."""
    latest = datetime.now(UTC) + LONGEST_AHEAD
    # Compared without conversion, which would fail at the ends of the calendar.
    if earliest <= time <= latest:
        return None
    return f"must be between {earliest:%Y-%m-%dT%H:%M:%SZ} and {latest:%Y-%m-%d}, ten years ahead"


def nearest_in_utc(time: datetime) -> datetime:
    """Return a time in UTC, or the nearest one in the years 1 to 9999.

    PostgreSQL does not accept offsets of 16 hours or more.
    """
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if time.year == 1 else datetime.max.replace(tzinfo=UTC)
