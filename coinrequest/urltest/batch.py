"""URL tests of many URLs at once."""

# ruff: noqa: PT028 - `test_urls` tests URLs; it is not a test of this project

from collections.abc import Generator, Iterable
from typing import Unpack

from coinrequest.http.transport import perform_all
from coinrequest.urltest.plan import Options, Plan
from coinrequest.urltest.url_test import UrlTest, url_test_steps

CONCURRENCY = 50


def test_urls(
    urls: Iterable[str], *, concurrency: int = CONCURRENCY, **options: Unpack[Options]
) -> Generator[UrlTest, None, None]:
    """Test many URLs as `test_url` does, many of them at once in this thread.

    Args:
        urls: read as tests end, so that there may be many, or made on the way.
        concurrency: how many tests run at the same time.
        options: `Plan` describes them; they hold for every URL.

    Returns:
        What was seen, in the order in which the tests end; `UrlTest.url` tells which one it is. Closing it ends the
        tests that still run. While nobody asks for the next result no test goes on, though its time runs.

    Raises:
        ValueError: an option cannot be used; nothing was opened.
    """
    if concurrency < 1:
        raise ValueError("concurrency must be at least 1")
    plan = Plan(**options)
    return perform_all((url_test_steps(url, plan) for url in urls), concurrency, plan.address_guard)


test_urls.__test__ = False  # type: ignore[attr-defined]
