"""Next run times of schedules, also when clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.jobtypes.grammar import AfterSchedule, CronSchedule, IntervalSchedule
from coinrequest.jobtypes.schedule import (
    CronInvalid,
    check_cron,
    cron_expression,
    next_run_times,
)
from coinrequest.jobtypes.time_zones import TimeZoneUnknown, find_time_zone


def times(cron, after, zone="Europe/Dublin", count=3):
    found = next_run_times(CronSchedule(cron=cron, timezone=zone), count, datetime.fromisoformat(after))
    return [time.isoformat(timespec="minutes") for time in found]


def test_cron_in_its_time_zone():
    assert times("30 9 * * mon", "2026-07-01T00:00Z", count=2) == ["2026-07-06T09:30+01:00", "2026-07-13T09:30+01:00"]
    assert times("@daily", "2026-01-01T00:00Z", "UTC", 1) == ["2026-01-02T00:00+00:00"]


def test_a_time_in_the_gap_of_a_clock_change_is_moved():
    # On 29 March 2026 Dublin goes from 00:59 to 02:00.
    assert times("30 1 * * *", "2026-03-28T12:00Z") == [
        "2026-03-29T02:30+01:00",
        "2026-03-30T01:30+01:00",
        "2026-03-31T01:30+01:00",
    ]


def test_a_time_that_occurs_twice_runs_once():
    # On 25 October 2026 Dublin has 01:00 to 01:59 twice.
    assert times("30 1 * * *", "2026-10-24T12:00Z", count=2) == ["2026-10-25T01:30+00:00", "2026-10-26T01:30+00:00"]


def test_midnight_comes_once_on_every_day_of_a_clock_change():
    # Santiago changes its clock at midnight: on 5 September 2027 there is none, on 4 April the hour before comes twice.
    assert times("0 0 * * *", "2027-09-04T12:00Z", "America/Santiago", 2) == [
        "2027-09-05T01:00-03:00",
        "2027-09-06T00:00-03:00",
    ]
    assert times("0 0 * * *", "2027-04-03T12:00Z", "America/Santiago", 2) == [
        "2027-04-04T00:00-04:00",
        "2027-04-05T00:00-04:00",
    ]
    assert times("30 23 * * *", "2027-04-03T12:00Z", "America/Santiago", 1) == ["2027-04-03T23:30-04:00"]


def test_an_hourly_schedule_also_runs_in_the_repeated_hour():
    assert times("30 * * * *", "2026-10-24T23:45Z", count=4) == [
        "2026-10-25T01:30+01:00",
        "2026-10-25T01:30+00:00",
        "2026-10-25T02:30+00:00",
        "2026-10-25T03:30+00:00",
    ]


def test_intervals_are_aligned_to_the_clock():
    def following(every, after):
        schedule = IntervalSchedule.model_validate({"every": every})
        return next_run_times(schedule, 2, datetime.fromisoformat(after))

    assert following("15m", "2026-01-01T10:07Z") == [
        datetime(2026, 1, 1, 10, 15, tzinfo=UTC),
        datetime(2026, 1, 1, 10, 30, tzinfo=UTC),
    ]
    assert following("7d", "2026-01-01T00:00Z")[0] == datetime(2026, 1, 5, tzinfo=UTC)
    assert following("1h", "2026-01-01T10:00Z")[0] == datetime(2026, 1, 1, 11, tzinfo=UTC)


def test_schedules_without_times_have_none():
    assert next_run_times(None) == []
    assert next_run_times(AfterSchedule(after=("other",))) == []


def test_from_now_by_default():
    schedule = IntervalSchedule(every=timedelta(hours=1))
    (following,) = next_run_times(schedule, 1)
    assert timedelta(0) < following - datetime.now(UTC) <= timedelta(hours=1)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="needs a time zone"):
        next_run_times(None, after=datetime(2026, 1, 1))  # noqa: DTZ001


def test_presets_are_expanded():
    assert cron_expression("@Quarterly") == "0 0 1 */3 *"
    assert cron_expression(" 0  1 * * * ") == "0 1 * * *"


@pytest.mark.parametrize("cron", ["* * * * *", "*/15 9-17 * * mon-fri", "0 0 L * *", "0 0 * jan,JUL 7", "0 0 29 2 *"])
def test_cron_that_is_right(cron):
    check_cron(cron)


@pytest.mark.parametrize(
    "cron",
    [
        *["", " ", "a b c d e", "H * * * *", "R * * * *", "*/0 * * * *", "1,,2 * * * *", "@reboot", "; rm * * *"],
        *["60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "0-4294967295 * * * *"],
        *["* * * * mun", "mon * * * *", "-1 * * * *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"],
    ],
)
def test_cron_that_is_wrong(cron):
    with pytest.raises(CronInvalid):
        check_cron(cron)


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        (
            "*/90 * * * *",
            "'*/90' as minute never takes a second step, because 0 to 59 is shorter; write 0, or the schedule "
            "{every: 90m} for steps across hours",
        ),
        ("*/60 * * * *", "'*/60' as minute never takes a second step"),
        ("10-20/15 * * * *", "because 10 to 20 is shorter; write 10"),
        ("5,0/90 * * * *", "'0/90' as minute never takes a second step"),
        ("0 */24 * * *", "write 0, or the schedule {every: 36h}"),
        ("0 0 */31 * *", "'*/31' as day of the month never takes a second step, because 1 to 31 is shorter; write 1"),
        ("0 0 1 */12 *", "'*/12' as month"),
        ("0 0 * * */7", "'*/7' as day of the week"),
        ("60 * * * *", "cannot read '60' as minute, 0 to 59"),
        ("0 0 15W * *", "cannot read '15W' as day of the month, 1 to 31, or L for the last; W is not supported"),
        ("0 0 * * 5#6", "cannot read '5#6' as day of the week, 0 to 6, or sun to sat"),
        ("0 * * * * *", "has 6 fields; it takes five"),
        ("0 0 * * * * 2030", "seconds and years are not supported"),
        ("15", "has 1 field; it takes five"),
        ("0 0 31 2 *", "names a day that never comes"),
        ("@dayly", "did you mean '@daily'?"),
    ],
)
def test_the_message_about_a_wrong_cron_names_the_remedy(cron, message):
    with pytest.raises(CronInvalid) as caught:
        check_cron(cron)
    assert message in str(caught.value)


@pytest.mark.parametrize("cron", ["*/59 * * * *", "0 */23 * * *", "0 0 */30 * *", "22-2/2 * * * *", "0 0 * * 5#2"])
def test_a_step_that_is_taken_is_right(cron):
    check_cron(cron)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("localtime", "'localtime' depends on the machine; write a name such as Europe/Dublin or UTC"),
        ("Factory", "'Factory' depends on the machine"),
        ("posixrules", "'posixrules' depends on the machine"),
        ("leapseconds", "'leapseconds' depends on the machine"),
        ("right/Europe/Dublin", "there is no time zone 'right/Europe/Dublin'; did you mean 'Europe/Dublin'?"),
        ("posix/Europe/Dublin", "did you mean 'Europe/Dublin'?"),
        ("europe/dublin", "there is no time zone 'europe/dublin'; did you mean 'Europe/Dublin'?"),
        ("utc", "did you mean 'UTC'?"),
        ("EST", "'EST' is an abbreviation, which several places share; did you mean 'America/New_York'?"),
        ("CET", "did you mean 'Europe/Paris'?"),
        ("PST8PDT", "did you mean 'America/Los_Angeles'?"),
        ("+02:00", "is an offset, which does not follow the seasons; write a name such as Europe/Dublin, or Etc/GMT-2"),
        ("UTC-5", "or Etc/GMT+5 for this offset in all seasons"),
        ("GMT+5:30", "is an offset, which does not follow the seasons; write a name such as Europe/Dublin or UTC"),
    ],
)
def test_the_message_about_a_wrong_time_zone_names_the_remedy(name, message):
    with pytest.raises(TimeZoneUnknown) as caught:
        find_time_zone(name)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["UTC", "GMT", "Etc/GMT-2", "Europe/Dublin", "America/Argentina/Ushuaia", "Japan"])
def test_time_zones_that_exist(name):
    assert find_time_zone(name).key == name


@given(st.text(alphabet="0123456789*/,-LlHRmonjan#?@ ") | st.text())
def test_no_text_breaks_the_check(text):
    try:
        check_cron(text)
    except CronInvalid:
        return
    assert len(next_run_times(CronSchedule.model_construct(cron=text, timezone="UTC"), 2)) == 2


@pytest.mark.parametrize("name", ["", "europe/nowhere", "../../etc/passwd", "/etc/passwd", "Europe", "a\0b", "x" * 500])
def test_time_zones_that_do_not_exist(name):
    with pytest.raises(TimeZoneUnknown):
        find_time_zone(name)


@given(
    st.sampled_from(["*/7 * * * *", "30 1 * * *", "0 */6 * * *", "15 2 1 * *"]),
    st.sampled_from(["UTC", "Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_times_are_later_and_in_order(cron, zone, after):
    found = next_run_times(CronSchedule(cron=cron, timezone=zone), 5, after)
    stamps = [time.timestamp() for time in found]
    assert stamps == sorted(set(stamps))
    assert stamps[0] > after.timestamp()
