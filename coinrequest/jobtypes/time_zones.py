"""Time zones of schedules: names of the IANA database such as `Europe/Dublin`."""

import functools
import re
from zoneinfo import ZoneInfo, available_timezones

from coinrequest.errors import CoinrequestError
from coinrequest.jobtypes.suggestions import nearest, quoted

# Of this machine, or placeholders, rather than of a place.
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules", "leapseconds"})
_ABBREVIATION = re.compile(r"[A-Z]{2,5}(\d[A-Z]{3})?", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT|Z)?([+-])(\d{1,2})(?::?(\d\d))?", re.ASCII | re.IGNORECASE)
# What people mean most often. Those in the database keep one offset, or follow rules of their own.
_MEANT = {
    **{"EST": "America/New_York", "EDT": "America/New_York", "EST5EDT": "America/New_York", "ET": "America/New_York"},
    **{"CST": "America/Chicago", "CDT": "America/Chicago", "CST6CDT": "America/Chicago"},
    **{"MST": "America/Denver", "MDT": "America/Denver", "MST7MDT": "America/Denver"},
    **{"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "PST8PDT": "America/Los_Angeles"},
    **{"HST": "Pacific/Honolulu", "BST": "Europe/London", "IST": "Asia/Kolkata", "WET": "Europe/Lisbon"},
    **{"CET": "Europe/Paris", "CEST": "Europe/Paris", "MET": "Europe/Paris", "EET": "Europe/Athens"},
    **{"EEST": "Europe/Athens", "MSK": "Europe/Moscow", "JST": "Asia/Tokyo", "PRC": "Asia/Shanghai"},
    **{"ROC": "Asia/Taipei", "ROK": "Asia/Seoul", "AEST": "Australia/Sydney", "UCT": "UTC", "Z": "UTC"},
}


class TimeZoneUnknown(CoinrequestError, ValueError):
    """The IANA database has no time zone of this name, or the name is none of a place."""


@functools.cache
def _time_zones() -> frozenset[str]:
    names = available_timezones() - _NO_PLACES
    return frozenset(name for name in names if name in {"UTC", "GMT"} or not _ABBREVIATION.fullmatch(name))


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
    raise TimeZoneUnknown(_refusal(name))


def _refusal(name: str) -> str:
    if name in _NO_PLACES:
        return f"{quoted(name)} depends on the machine; write a name such as Europe/Dublin or UTC"
    if meant := _MEANT.get(name.upper()):
        return f"{quoted(name)} is an abbreviation, which several places share; did you mean {meant!r}?"
    if offset := _OFFSET.fullmatch(name.strip()):
        return f"{quoted(name)} is an offset, which does not follow the seasons; {_instead_of(offset)}"
    # The database has a second and a third copy of each zone.
    plain = name.removeprefix("posix/").removeprefix("right/")
    match = plain if plain in _time_zones() else nearest(name, _time_zones())
    meant = f"; did you mean {match!r}?" if match else "; write a name such as Europe/Dublin or UTC"
    return f"there is no time zone {quoted(name)}{meant}"


def _instead_of(offset: re.Match[str]) -> str:
    hours = int(offset[2])
    if int(offset[3] or 0) or hours > 12:
        return "write a name such as Europe/Dublin or UTC"
    if hours == 0:
        return "write UTC"
    # POSIX counts west of Greenwich as positive.
    fixed = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{hours}"
    return f"write a name such as Europe/Dublin, or {fixed} for this offset in all seasons"
