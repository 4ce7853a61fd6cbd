"""Next run times of schedules, and checks of cron expressions and time zones."""

import functools
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from coinrequest.errors import CoinrequestError
from coinrequest.jobtypes.grammar import AfterSchedule, CronSchedule, IntervalSchedule
from coinrequest.jobtypes.suggestions import hint, quoted

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
_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_WORDS = {
    2: {"l"},
    3: {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
    4: {"sun", "mon", "tue", "wed", "thu", "fri", "sat", "l"},
}


class CronInvalid(CoinrequestError, ValueError):
    """A cron expression is malformed, or names a time that never comes."""


class TimeZoneUnknown(CoinrequestError, ValueError):
    """The IANA database has no time zone of this name."""


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
        raise CronInvalid(f"has {len(fields)} fields; it takes five: {', '.join(_FIELDS)}, as in */15 * * * *")
    for index, (name, field) in enumerate(zip(_FIELDS, fields, strict=True)):
        words = {word.lower() for word in re.findall(r"[A-Za-z]+", field)}
        if not re.fullmatch(r"[0-9A-Za-z*,/#?-]+", field, re.ASCII) or words - _WORDS.get(index, set()):
            raise CronInvalid(f"cannot read {quoted(field)} as {name}")
        # With all other fields set to *, an error is about this field.
        alone = " ".join(field if position == index else "*" for position in range(len(_FIELDS)))
        try:
            croniter.expand(alone)
        except (CroniterError, ValueError, KeyError, IndexError):
            raise CronInvalid(f"cannot read {quoted(field)} as {name}") from None
    try:
        croniter(expression, start_time=INTERVAL_ANCHOR.replace(tzinfo=None)).get_next(datetime)
    except CroniterBadDateError:
        raise CronInvalid(f"{quoted(cron)} names a day that never comes") from None
    except (CroniterError, ValueError, KeyError, IndexError):
        raise CronInvalid(f"cannot read {quoted(cron)}") from None


@functools.cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


@functools.lru_cache(maxsize=1024)
def find_time_zone(name: str) -> ZoneInfo:
    """Return the time zone with an IANA name such as `Europe/Dublin`.

    Raises:
        TimeZoneUnknown: there is none; the message suggests a similar name.
    """
    try:
        # A case-insensitive file system would also find names in other cases, so the set is checked too.
        if name == "UTC" or name in _time_zones():
            return ZoneInfo(name)
    except (OSError, ValueError):
        pass
    match = hint(name, _time_zones())
    example = match if match.startswith("; did") else "; write a name such as Europe/Dublin or UTC"
    raise TimeZoneUnknown(f"there is no time zone {quoted(name)}{example}")


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
