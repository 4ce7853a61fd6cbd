"""Waiting for jobs without holding anything."""

import asyncio
import threading
from collections.abc import Collection
from uuid import UUID, uuid4

from coinrequest.jobs.watch import Watch, interval, shared_watch


class Jobs:
    """Jobs that are done when the test says so."""

    def __init__(self) -> None:
        self.done: set[UUID] = set()
        self.asked: list[int] = []
        self.threads: set[int] = set()
        self.failures = 0

    def finished(self, job_ids: Collection[UUID]) -> set[UUID]:
        self.asked.append(len(job_ids))
        self.threads.add(threading.get_ident())
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        return self.done & set(job_ids)


def test_a_caller_is_told_as_soon_as_its_job_is_done() -> None:
    jobs, job = Jobs(), uuid4()

    async def scenario() -> None:
        waiting = asyncio.create_task(Watch(jobs.finished).wait(job, 30))
        while len(jobs.asked) < 2:
            await asyncio.sleep(0.01)
        assert not waiting.done()
        jobs.done.add(job)
        assert await asyncio.wait_for(waiting, 5) is True

    asyncio.run(scenario())
    assert threading.get_ident() not in jobs.threads


def test_the_time_of_a_caller_ends_though_the_job_goes_on() -> None:
    jobs = Jobs()
    assert asyncio.run(Watch(jobs.finished).wait(uuid4(), 0.12)) is False


def test_many_callers_share_one_read() -> None:
    jobs, ids = Jobs(), [uuid4() for _ in range(50)]
    jobs.done |= set(ids)

    async def scenario() -> list[bool]:
        watch = Watch(jobs.finished)
        return await asyncio.gather(*(watch.wait(job, 5) for job in [*ids, ids[0]]))

    assert asyncio.run(scenario()) == [True] * 51
    assert jobs.asked == [50]


def test_nothing_is_read_when_nobody_waits() -> None:
    jobs, job = Jobs(), uuid4()
    jobs.done.add(job)

    async def scenario() -> int:
        await Watch(jobs.finished).wait(job, 5)
        count = len(jobs.asked)
        await asyncio.sleep(0.2)
        return count

    assert asyncio.run(scenario()) == len(jobs.asked) == 1


def test_a_failed_read_is_repeated() -> None:
    jobs, job = Jobs(), uuid4()
    jobs.done.add(job)
    jobs.failures = 1
    assert asyncio.run(Watch(jobs.finished).wait(job, 10)) is True


def test_an_event_loop_has_one_watch() -> None:
    async def scenario() -> tuple[Watch, Watch]:
        jobs = Jobs()
        return shared_watch(jobs.finished), shared_watch(jobs.finished)

    first, second = asyncio.run(scenario())
    assert first is second


def test_the_longer_all_wait_the_rarer_a_look() -> None:
    assert interval(0) == 0.05
    assert interval(0) <= interval(5) <= interval(60) == 0.5
