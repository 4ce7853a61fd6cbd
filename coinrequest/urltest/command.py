"""The command `coinrequest url`."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from coinrequest import settings
from coinrequest.http.guard import AddressGuard
from coinrequest.http.target import with_scheme
from coinrequest.urltest import report, waterfall
from coinrequest.urltest.arguments import addresses, parser, read_urls
from coinrequest.urltest.batch import test_urls
from coinrequest.urltest.expectations import Expectations
from coinrequest.urltest.url_test import UrlTest

if TYPE_CHECKING:
    from rich.console import Console

PASSED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
# More would not fit on a screen.
MAX_WATERFALLS = 3


def main(words: Sequence[str] = ()) -> int:
    """Run the command and return its exit code.

    Args:
        words: the arguments after `coinrequest url`.
    """
    arguments = parser().parse_args(words)
    try:
        urls = read_urls(arguments)
        expect = _expectations(arguments)
        tests = _tests(urls, expect, arguments)
    except OSError as error:
        return _fail(USAGE, f"{arguments.file}: {error.strerror}")
    except ValueError as error:
        return _fail(USAGE, str(error))
    done: list[UrlTest] = []
    started = time.monotonic()
    try:
        with _progress(len(urls), arguments.json) as advance:
            for test in tests:
                done.append(test)
                if arguments.json:
                    _print_json(test)
                advance()
        code = PASSED if all(test.passed for test in done) else FAILED
    except KeyboardInterrupt:
        code = _fail(INTERRUPTED, f"interrupted after {len(done):,} of {len(urls):,} URLs")
    except BrokenPipeError:
        # The reader of the output has closed it.
        sys.stderr.close()
        return PASSED
    if not arguments.json:
        _show(urls, done, expect, time.monotonic() - started)
    return code


def _expectations(arguments: argparse.Namespace) -> Expectations:
    return Expectations(
        status=arguments.expect_status,
        body_contains=arguments.contains,
        body_matches=arguments.matches,
        json_path=dict(arguments.json_path),
        headers=dict(arguments.expect_header),
        max_seconds=arguments.max_seconds,
        certificate_days=arguments.certificate_days,
    )


def _tests(urls: Sequence[str], expect: Expectations, arguments: argparse.Namespace) -> Iterator[UrlTest]:
    return test_urls(
        urls,
        concurrency=arguments.concurrency,
        method=(arguments.method or ("GET" if arguments.data is None else "POST")).upper(),
        headers=dict(arguments.header),
        body=arguments.data,
        attempts=arguments.attempts,
        retry_errors=arguments.retry_errors,
        timeout=arguments.timeout,
        connect_timeout=arguments.connect_timeout,
        redirect_limit=arguments.redirects,
        ip_version=arguments.ip_version,
        verify_tls=not arguments.insecure,
        resolve=addresses(arguments.resolve),
        expect=expect,
        guard=AddressGuard([*settings.allowed_networks(), *arguments.allow]),
    )


def _show(urls: Sequence[str], done: Sequence[UrlTest], expect: Expectations, took: float) -> None:
    console = _console()
    if len(urls) > MAX_WATERFALLS:
        report.show_table(console, done)
        console.print(report.summary(done, took))
    else:
        order = [with_scheme(url) for url in urls]
        for test in sorted(done, key=lambda test: order.index(test.url) if test.url in order else len(order)):
            waterfall.show(console, test, expect)
            console.print()
    if hint := report.allow_hint(done):
        console.print(hint, soft_wrap=True)


def _console(*, for_errors: bool = False) -> "Console":
    from rich.console import Console

    # Characters that the terminal cannot encode are shown as escapes.
    stream = sys.stderr if for_errors else sys.stdout
    with contextlib.suppress(AttributeError):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # The responses of servers must not be taken for markup.
    return Console(stderr=for_errors, markup=False, highlight=False, emoji=False)


@contextlib.contextmanager
def _progress(total: int, lines_follow: bool) -> Iterator[Callable[[], None]]:
    """Show a progress bar on a terminal, unless lines of output would disturb it."""
    if total == 1 or not sys.stderr.isatty() or (lines_follow and sys.stdout.isatty()):
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("testing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = _console(for_errors=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)


def _print_json(test: UrlTest) -> None:
    # ASCII only, so that no output can move the cursor of a terminal.
    sys.stdout.write(json.dumps(report.document(test)) + "\n")
    sys.stdout.flush()


def _fail(code: int, text: str) -> int:
    sys.stderr.write(f"coinrequest url: {waterfall.plain(text)}\n")
    return code
