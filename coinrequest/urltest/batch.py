"""Many URL tests at once, in one thread, over libcurl's multi interface (https://curl.se/libcurl/c/libcurl-multi.html)."""

# ruff: noqa: PT028 - these test URLs; they are not tests of this project

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Unpack

from coinrequest.urltest.errors import RequestFailed
from coinrequest.urltest.exchange import Exchange
from coinrequest.urltest.guard import AddressGuard
from coinrequest.urltest.plan import Options, Plan
from coinrequest.urltest.redirects import Step, Steps
from coinrequest.urltest.url_test import UrlTest, tested

CONCURRENCY = 50
_SECONDS_BETWEEN_LOOKS = 1.0


def test_urls(
    urls: Iterable[str], *, concurrency: int = CONCURRENCY, **options: Unpack[Options]
) -> Generator[UrlTest, None, None]:
    """Test many URLs, as `test_url` does, many of them at once.

    Args:
        urls: read as tests end, so that it may be long, or made on the way.
        concurrency: how many tests run at the same time.
        options: `Plan` describes them; they hold for every URL.

    Returns:
        What was seen, in the order in which the tests end; `UrlTest.url` tells which one it is. Closing it ends the
        tests that still run. While nobody asks for the next result no test goes on, and its time-out still runs.

    Raises:
        ValueError: an option cannot be used; nothing was opened.
    """
    if concurrency < 1:
        raise ValueError("concurrency must be at least 1")
    plan = Plan(**options)
    return _performed((tested(url, plan) for url in urls), concurrency, plan.address_guard)


test_urls.__test__ = False  # type: ignore[attr-defined]


def _performed(
    tests: Iterator[Steps[UrlTest]], concurrency: int, guard: AddressGuard
) -> Generator[UrlTest, None, None]:
    import pycurl

    multi = pycurl.CurlMulti()
    running: dict[Any, tuple[Steps[UrlTest], Exchange]] = {}
    done: deque[UrlTest] = deque()

    def proceed(steps: Steps[UrlTest], outcome: Any) -> None:
        try:
            while True:
                step: Step
                if outcome is None:
                    step = next(steps)
                elif isinstance(outcome, RequestFailed):
                    step = steps.throw(outcome)
                else:
                    step = steps.send(outcome)
                try:
                    exchange = Exchange(step, guard)
                except RequestFailed as error:
                    outcome = error
                    continue
                running[exchange.curl] = steps, exchange
                multi.add_handle(exchange.curl)
                return
        except StopIteration as stop:
            done.append(stop.value)

    def finish(curl: Any, code: int = 0, text: str = "") -> None:
        steps, exchange = running.pop(curl)
        multi.remove_handle(curl)
        outcome: Any
        try:
            outcome = exchange.response(code, text)
        except RequestFailed as error:
            outcome = error
        finally:
            exchange.close()
        proceed(steps, outcome)

    try:
        exhausted = False
        while True:
            while not exhausted and len(running) < concurrency and len(done) < concurrency:
                steps = next(tests, None)
                if steps is None:
                    exhausted = True
                else:
                    proceed(steps, None)
            while done:
                yield done.popleft()
            if not running:
                if exhausted:
                    return
                continue
            multi.perform()
            while True:
                left, succeeded, failed = multi.info_read()
                for curl in succeeded:
                    finish(curl)
                for curl, code, text in failed:
                    finish(curl, code, text)
                if not left:
                    break
            if not done and running:
                multi.select(_SECONDS_BETWEEN_LOOKS)
    finally:
        for _steps, exchange in running.values():
            multi.remove_handle(exchange.curl)
            exchange.close()
        multi.close()
