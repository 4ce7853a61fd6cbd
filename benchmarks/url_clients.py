"""One client that requests many URLs: `python -m benchmarks.url_clients NAME`, a process of its own.

Reads a JSON object with the URLs and the concurrency from its input. Imports, and what a client prepares once, are not
on the clock: it runs from the first request to the last answer.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.measure import print_result


def ours(urls: Sequence[str], concurrency: int) -> tuple[float, int]:
    """Test the URLs; each yields phases, address, expectations."""
    from coinrequest.urltest import AddressGuard, test_urls

    guard = AddressGuard(["127.0.0.0/8"])
    # What is imported with the first request would otherwise be on the clock.
    list(test_urls(urls[:1], guard=guard))
    began = time.perf_counter()
    answered = sum(test.status == 200 for test in test_urls(urls, concurrency=concurrency, guard=guard))
    return time.perf_counter() - began, answered


def httpx_kept(urls: Sequence[str], concurrency: int) -> tuple[float, int]:
    """GET the URLs over connections that stay open."""
    return asyncio.run(_httpx(urls, concurrency, keep=concurrency))


def httpx_fresh(urls: Sequence[str], concurrency: int) -> tuple[float, int]:
    """GET each URL over a connection of its own."""
    return asyncio.run(_httpx(urls, concurrency, keep=0))


async def _httpx(urls: Sequence[str], concurrency: int, keep: int) -> tuple[float, int]:
    import httpx

    # As many tasks as requests at a time are quicker than a thousand tasks that wait for the pool.
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=keep)
    # The server is the benchmark's own, on loopback, and so is its certificate.
    async with httpx.AsyncClient(limits=limits, verify=False, trust_env=False, timeout=30) as client:  # noqa: S501
        waiting = iter(urls)

        async def work() -> int:
            answered = 0
            for url in waiting:
                answered += (await client.get(url)).status_code == 200
            return answered

        await client.get(urls[0])
        began = time.perf_counter()
        answered = sum(await asyncio.gather(*(work() for _ in range(concurrency))))
        return time.perf_counter() - began, answered


CLIENTS: dict[str, Callable[[Sequence[str], int], tuple[float, int]]] = {
    "ours": ours,
    "httpx": httpx_kept,
    "httpx, fresh": httpx_fresh,
}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    seconds, answered = CLIENTS[sys.argv[1]](asked["urls"], asked["concurrency"])
    print_result({"seconds": seconds, "answered": answered})
