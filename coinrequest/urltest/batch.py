"""Tests of many URLs at once."""

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
    """Test many URLs concurrently in this thread.

    Args:
        urls: the URLs; they are consumed lazily, as tests finish.
        concurrency: how many tests run at the same time.
        options: the options of `Plan`, for all URLs.

    Returns:
        A generator of results, in the order in which the tests finish. Closing it cancels the running tests. The tests
        make progress only while the caller waits for the next result, but their time-outs always run.

    Raises:
        ValueError: an option is invalid; nothing was requested.
    """
    if concurrency < 1:
        raise ValueError("concurrency must be at least 1")
    plan = Plan(**options)
    return perform_all((url_test_steps(url, plan) for url in urls), concurrency, plan.address_guard)


test_urls.__test__ = False  # type: ignore[attr-defined]
