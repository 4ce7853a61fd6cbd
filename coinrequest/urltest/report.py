"""Reports about the tests of several URLs: a table, and JSON documents."""

import dataclasses
import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from coinrequest.urltest.url_test import UrlTest
from coinrequest.urltest.waterfall import milliseconds, plain, verdict

if TYPE_CHECKING:
    from rich.console import Console

# The message of the guard.
_REFUSAL = re.compile(
    r"(?P<address>[0-9a-f:.]+)(?: \(written (?P<written>[0-9a-f:.]+)\))? is refused: (?P<reason>.+) address"
)
_VERDICT = " " * len("passed")
_COLUMNS = " {:>7} {:>12}  "


def document(value: Any) -> Any:
    """Convert a test, or a part of it, to JSON data.

    Durations are seconds, rounded to microseconds. Times are ISO 8601 in UTC.
    """
    if dataclasses.is_dataclass(value):
        return {field.name: document(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [document(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return round(value, 6) if isinstance(value, float) else value


def show_table(console: "Console", tests: Sequence[UrlTest]) -> None:
    """Print a row for each test: the passed ones from fast to slow, then the failed ones with their reasons.

    The failed ones come last, because the end of the output stays visible in a terminal.
    """
    from rich.text import Text

    console.print(Text(_VERDICT + _COLUMNS.format("status", "total") + "URL", style="bold"), soft_wrap=True)
    for test in sorted(tests, key=_sort_key):
        total = milliseconds(test.phases.total) if test.phases else "-"
        cells = _COLUMNS.format(test.status or "-", total)
        console.print(Text.assemble(verdict(test), cells, plain(test.url)), soft_wrap=True)
        for reason in [*filter(None, [test.error]), *test.failed_expectations]:
            console.print(Text(_VERDICT + _COLUMNS.format("", "") + plain(reason), style="red"), soft_wrap=True)


def summary(tests: Sequence[UrlTest], took: float) -> str:
    """Return a one-line summary.

    Args:
        tests: the finished tests.
        took: the seconds for all tests together.
    """
    failed = sum(not test.passed for test in tests)
    noun = "URL" if len(tests) == 1 else "URLs"
    verdict = f"{failed:,} failed" if failed else "all passed"
    return f"{len(tests):,} {noun} in {took:,.2f} s: {verdict}"


def _sort_key(test: UrlTest) -> tuple[bool, float, str]:
    return not test.passed, test.phases.total if test.phases else 0.0, test.url


def allow_hint(tests: Sequence[UrlTest]) -> str | None:
    """Return a hint how to allow the addresses that the guard refused; None if it refused none.

    The hint leaves out the addresses where clouds hand out credentials.
    """
    refused: dict[str, None] = {}  # an ordered set
    for test in tests:
        found = _REFUSAL.fullmatch(test.error or "")
        if found and found["reason"] != "cloud metadata":
            address = ipaddress.ip_address(found["written"] or found["address"])
            refused[str(ipaddress.ip_network(address))] = None
    if not refused:
        return None
    options = " ".join(f"--allow {network}" for network in refused)
    return (
        "Only public addresses are requested. If you trust these servers, allow them for this command with\n"
        f"    {options}\nor for all URL tests in this environment with\n"
        f"    COINREQUEST_ALLOWED_NETWORKS={','.join(refused)}"
    )
