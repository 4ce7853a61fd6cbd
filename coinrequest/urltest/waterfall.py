"""A URL test as a waterfall: a bar for each phase of each hop, on one time axis.

Colours only repeat what the text says, and are only written to a terminal.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coinrequest.http.messages import Phases
from coinrequest.urltest.expectations import Expectations
from coinrequest.urltest.url_test import UrlTest

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# The phases in their order: attribute, label and colour of the bar.
_PHASES = (
    ("resolve", "resolve", "cyan"),
    ("connect", "connect", "yellow"),
    ("tls", "TLS", "magenta"),
    ("first_byte", "first byte", "green"),
    ("transfer", "transfer", "blue"),
)
_LABEL = "    {:<10} {:>12}  "
_MIN_BAR_WIDTH = 8
_EIGHTHS = " ▏▎▍▌▋▊▉"


def plain(text: object) -> str:
    r"""Replace characters that are not printable with escapes such as `\x1b`.

    Locations and names of certificates come from servers and could contain control characters for the terminal.
    Characters that change the direction of the text are not printable either.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in str(text)
    )


def milliseconds(seconds: float) -> str:
    """Format a duration as `12.3 ms`."""
    return f"{seconds * 1000:,.1f} ms"


def show(console: "Console", test: UrlTest, expect: Expectations) -> None:
    """Print a test as a waterfall.

    Args:
        console: the output; its width determines the length of the bars.
        test: the result of the test.
        expect: the expectations, to show those that were met too.
    """
    from rich.text import Text

    bars = _Bars(console, test)
    head = Text.assemble(verdict(test), "  ", (plain(test.url), "bold"))
    for line in (head, *_hops(test, bars), *_facts(test), *_expectations(test, expect)):
        console.print(line, soft_wrap=True)


def verdict(test: UrlTest) -> "Text":
    """Return `passed` or `FAILED` in colour."""
    from rich.text import Text

    return Text("passed", style="green") if test.passed else Text("FAILED", style="bold red")


class _Bars:
    """Draws bars, each of which starts where the previous one ended."""

    def __init__(self, console: "Console", test: UrlTest) -> None:
        room = console.width - len(_LABEL.format("", ""))
        self._width = max(room, _MIN_BAR_WIDTH)
        self._ascii = console.options.ascii_only
        whole = test.phases.total if test.phases else sum(hop.phases.total for hop in test.redirects)
        self._scale = self._width / whole if whole > 0 else 0.0
        self._elapsed = 0.0

    def bar(self, seconds: float) -> str:
        """Return the bar for the next duration; it is always wide enough to be visible."""
        begin = min(round(self._elapsed * self._scale), self._width - 1)
        self._elapsed += seconds
        eighths = max(1, round((self._elapsed * self._scale - begin) * 8))
        eighths = min(eighths, (self._width - begin) * 8)
        if self._ascii:
            return " " * begin + "#" * max(1, round(eighths / 8))
        return " " * begin + "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _hops(test: UrlTest, bars: _Bars) -> "Iterator[Text]":
    from rich.text import Text

    for hop in test.redirects:
        yield Text(f"  {hop.status}  {plain(hop.url)}")
        yield Text(f"       from {plain(hop.remote_address)}, redirects to {plain(hop.location)}", style="dim")
        yield from _phase_lines(hop.phases, hop.url, bars)
    if test.phases is None:
        yield Text(f"  error  {plain(test.error or test.result)}", style="red")
        return
    yield Text(f"  {test.status}  {plain(test.final_url)}")
    version = f"HTTP/{test.http_version}" if test.http_version else "response"
    yield Text(f"       {version} from {plain(test.remote_address)}", style="dim")
    yield from _phase_lines(_last_hop(test, test.phases), test.final_url, bars)
    yield Text(_LABEL.format("total", milliseconds(test.phases.total)).rstrip(), style="bold")


def _phase_lines(phases: Phases, url: str, bars: _Bars) -> "Iterator[Text]":
    from rich.text import Text

    for name, label, colour in _PHASES:
        seconds = getattr(phases, name)
        if name == "tls" and not seconds and not url.startswith("https:"):
            continue
        yield Text.assemble(_LABEL.format(label, milliseconds(seconds)), (bars.bar(seconds), colour))


def _last_hop(test: UrlTest, phases: Phases) -> Phases:
    """Return the phases of the last hop alone; those of the test are summed over all hops."""
    return Phases(
        **{
            name: max(0.0, getattr(phases, name) - sum(getattr(hop.phases, name) for hop in test.redirects))
            for name, _label, _colour in _PHASES
        }
    )


def _facts(test: UrlTest) -> "Iterator[Text]":
    from rich.text import Text

    facts = [("tested at", test.tested_at.isoformat(timespec="seconds")), ("attempts", str(test.attempts))]
    if test.certificate is not None:
        certificate = test.certificate
        until = f"{certificate.not_after.date().isoformat()}"
        checked = "" if certificate.verified else ", not verified"
        facts.append(("certificate", f"{plain(certificate.subject)}, issued by {plain(certificate.issuer)}{checked}"))
        facts.append(("", f"{certificate.days_left:,.1f} days left, until {until}"))
    if test.status is not None:
        more = ", the rest was not read" if test.truncated else ""
        facts.append(("body", f"{test.size:,} bytes{more}"))
    for label, fact in facts:
        yield Text(f"  {label:<12} {fact}")


def _expectations(test: UrlTest, expect: Expectations) -> "Iterator[Text]":
    from rich.text import Text

    if test.status is None:
        return
    for name, words in _expected(expect):
        if not any(failure.startswith(f"{name}:") for failure in test.failed_expectations):
            yield Text.assemble("  ", (f"{'met':<12}", "green"), " ", plain(words))
    for failure in test.failed_expectations:
        yield Text.assemble("  ", (f"{'FAILED':<12}", "bold red"), " ", plain(failure))


def _expected(expect: Expectations) -> Iterator[tuple[str, str]]:
    """Yield the name of each expectation, as its failure starts, and its text."""
    yield "status", f"status: {expect.status or 'below 400'}"
    if expect.body_contains is not None:
        yield "body_contains", f"body_contains: {expect.body_contains!r}"
    if expect.body_matches is not None:
        yield "body_matches", f"body_matches: {expect.body_matches!r}"
    for path, value in expect.json_path.items():
        yield f"json_path {path}", f"json_path {path}" + ("" if value is ... else f": {value!r}")
    for name, pattern in expect.headers.items():
        yield f"header {name}", f"header {name}: {pattern!r}"
    if expect.max_seconds is not None:
        yield "max_seconds", f"max_seconds: {expect.max_seconds:g} s"
    if expect.certificate_days is not None:
        yield "certificate_days", f"certificate_days: {expect.certificate_days:g}"
