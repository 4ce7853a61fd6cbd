"""Next run times of schedules, and checks of cron expressions."""

import functools
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from coinrequest.errors import CoinrequestError
from coinrequest.jobtypes.grammar import AfterSchedule, CronSchedule, IntervalSchedule
from coinrequest.jobtypes.suggestions import counted, hint, quoted
from coinrequest.jobtypes.time_zones import find_time_zone

INTERVAL_ANCHOR = datetime(2024, 1, 1, tzinfo=UTC)
"""The start of all intervals, a Monday, so that `1h` runs on the hour and `7d` on Mondays, in UTC."""

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 6))
_WORDS = {
    2: {"l"},
    3: {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
    4: {"sun", "mon", "tue", "wed", "thu", "fri", "sat", "l"},
}


_REMEDIES = {
    2: ", or L for the last; W is not supported",
    3: ", or jan to dec",
    4: ", or sun to sat; 7 is sun, too, and 5#2 the second fri",
}
_LONGER = {0: ", or the schedule {every: 90m} for steps across hours", 1: ", or the schedule {every: 36h}"}


class CronInvalid(CoinrequestError, ValueError):
    """A cron expression is malformed, or names a time that never comes."""


def cron_expression(cron: str) -> str:
    """Return the five fields of a cron expression, or of a preset such as `@daily`."""
    return PRESETS.get(cron.strip().lower(), " ".join(cron.split()))


@functools.lru_cache(maxsize=1024)
def check_cron(cron: str) -> None:
    """Check a cron expression of five fields, or a preset.

    Raises:
        CronInvalid: it cannot be used; the message names the wrong field.
    """
    from croniter import CroniterBadDateError, CroniterError, croniter

    expression = cron_expression(cron)
    if expression.startswith("@"):
        raise CronInvalid(f"there is no preset {quoted(cron)}{hint(expression, PRESETS)}")
    fields = expression.split(" ")
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, _, _ in _FIELDS)
        more = "; seconds and years are not supported" if len(fields) > len(_FIELDS) else ""
        raise CronInvalid(f"has {counted(len(fields), 'field')}; it takes five: {names}, as in */15 * * * *{more}")
    for index, field in enumerate(fields):
        _check_field(index, field)
    try:
        croniter(expression, start_time=INTERVAL_ANCHOR.replace(tzinfo=None)).get_next(datetime)
    except CroniterBadDateError:
        raise CronInvalid(f"{quoted(cron)} names a day that never comes") from None
    except (CroniterError, ValueError, KeyError, IndexError):
        raise CronInvalid(f"cannot read {quoted(cron)}") from None


def _check_field(index: int, field: str) -> None:
    from croniter import CroniterError, croniter

    name, first, last = _FIELDS[index]
    unreadable = f"cannot read {quoted(field)} as {name}, {first} to {last}{_REMEDIES.get(index, '')}"
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", field)}
    if not re.fullmatch(r"[0-9A-Za-z*,/#?-]+", field, re.ASCII) or words - _WORDS.get(index, set()):
        raise CronInvalid(unreadable)
    # With all other fields set to *, an error is about this field.
    alone = " ".join(field if position == index else "*" for position in range(len(_FIELDS)))
    try:
        croniter.expand(alone)
    except (CroniterError, ValueError, KeyError, IndexError):
        raise CronInvalid(unreadable) from None
    for part in field.split(","):
        values, _, step = part.partition("/")
        start, _, end = values.partition("-")
        low = int(start) if start.isdigit() else first
        high = int(end) if end.isdigit() else last
        # A field starts again at its first value: */90 in the minutes would run once an hour.
        if step.isdigit() and low <= high < low + int(step):
            raise CronInvalid(
                f"{quoted(part)} as {name} never takes a second step, because {low} to {high} is shorter; write {low}"
                f"{_LONGER.get(index, '')}"
            )


def next_run_times(
    schedule: CronSchedule | IntervalSchedule | AfterSchedule | None, count: int = 5, after: datetime | None = None
) -> list[datetime]:
    """Return the next run times of a schedule.

    Args:
        schedule: the schedule of a definition.
        count: the number of times.
        after: the times are after this one, which has a zone; now by default.

    Returns:
        Times in the schedule's time zone (UTC for intervals), earliest first; none without a schedule, or for one that
        runs after other types.

    Raises:
        ValueError: `after` has no time zone.
    """
    after = datetime.now(UTC) if after is None else after
    if after.tzinfo is None:
        raise ValueError("'after' needs a time zone")
    if isinstance(schedule, CronSchedule):
        return _cron_times(schedule, count, after)
    if isinstance(schedule, IntervalSchedule):
        elapsed = (after.astimezone(UTC) - INTERVAL_ANCHOR) // schedule.every
        return [INTERVAL_ANCHOR + schedule.every * (elapsed + number) for number in range(1, count + 1)]
    return []


def _cron_times(schedule: CronSchedule, count: int, after: datetime) -> list[datetime]:
    """Compute times in local time, as Airflow's timetables do, so that the predictions are right.

    When clocks change, a time in the gap is moved by the length of the gap. Of a time that occurs twice, the second
    counts, except for schedules that run every hour, which run at both.
    """
    from croniter import croniter

    zone = find_time_zone(schedule.timezone)
    expression = cron_expression(schedule.cron)
    every_hour = croniter.expand(expression)[0][1] == ["*"]
    times: list[datetime] = []
    current = after.astimezone(UTC)
    while len(times) < count:
        local = current.astimezone(zone).replace(tzinfo=None, fold=0)
        following = croniter(expression, start_time=local).get_next(datetime)
        if every_hour:
            current += following - local
        else:
            current = _from_local(following, zone)
        times.append(current.astimezone(zone))
    return times


def _from_local(local: datetime, zone: ZoneInfo) -> datetime:
    early, late = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # The later one is right in both cases: fold 0 in a gap, fold 1 in an overlap (PEP 495).
    return max(early, late)
