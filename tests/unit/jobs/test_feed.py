"""Following jobs, and waiting for their end, without holding anything."""

import asyncio
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import aclosing
from uuid import UUID, uuid4

from coinrequest.airflow.runs import TaskState
from coinrequest.jobs.event_cursor import Snapshot
from coinrequest.jobs.feed import Feed, awaited_jobs, followed_jobs, interval


class Jobs:
    """Jobs in the states that the test sets."""

    def __init__(self) -> None:
        self.now: dict[UUID, Snapshot] = {}
        self.asked: list[int] = []
        self.threads: set[int] = set()
        self.failures = 0

    def read(self, job_ids: Collection[UUID]) -> Mapping[UUID, Snapshot]:
        self.asked.append(len(job_ids))
        self.threads.add(threading.get_ident())
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        return {job_id: self.now[job_id] for job_id in job_ids if job_id in self.now}


def task(state: str | None, attempt: int = 1) -> TaskState:
    return TaskState("wait", None, state, attempt, None, None)


async def collect(feed: Feed, job: UUID, seconds: float = 30) -> list[Snapshot]:
    seen: list[Snapshot] = []
    async with aclosing(feed.follow(job, seconds)) as changes:
        async for snapshot in changes:
            seen.append(snapshot)
            if snapshot.state == "success":
                break
    return seen


def test_a_listener_sees_the_state_now_and_every_change() -> None:
    jobs, job = Jobs(), uuid4()
    states = [Snapshot("queued"), Snapshot("running"), Snapshot("running", (task("running"),)), Snapshot("success")]
    jobs.now[job] = states[0]

    async def scenario() -> list[Snapshot]:
        listening = asyncio.create_task(collect(Feed(jobs.read), job))
        for state in states[1:]:
            count = len(jobs.asked)
            while len(jobs.asked) < count + 2:
                await asyncio.sleep(0.01)
            jobs.now[job] = state
        return await asyncio.wait_for(listening, 10)

    assert asyncio.run(scenario()) == states
    assert threading.get_ident() not in jobs.threads


def test_many_listeners_share_one_read_and_leave_nothing() -> None:
    jobs, ids = Jobs(), [uuid4() for _ in range(50)]
    jobs.now = {job: Snapshot("success") for job in ids}

    async def scenario() -> int:
        feed = Feed(jobs.read)
        seen = await asyncio.gather(*(collect(feed, job) for job in [*ids, ids[0]]))
        assert seen == [[Snapshot("success")]] * 51
        return feed.listeners

    assert asyncio.run(scenario()) == 0
    assert jobs.asked[0] == 50


def test_a_listener_that_goes_away_is_forgotten_and_nothing_more_is_read() -> None:
    jobs, job = Jobs(), uuid4()
    jobs.now[job] = Snapshot("running")

    async def scenario() -> None:
        feed = Feed(jobs.read)
        listening = asyncio.create_task(collect(feed, job))
        while not jobs.asked:
            await asyncio.sleep(0.01)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert feed.listeners == 0
        await asyncio.sleep(0.15)
        count = len(jobs.asked)
        await asyncio.sleep(0.3)
        assert len(jobs.asked) == count

    asyncio.run(scenario())


def test_the_time_of_a_listener_ends() -> None:
    jobs, job = Jobs(), uuid4()
    jobs.now[job] = Snapshot("running")
    assert asyncio.run(collect(Feed(jobs.read), job, 0.2)) == [Snapshot("running")]


def test_a_job_that_is_gone_ends_its_stream() -> None:
    assert asyncio.run(asyncio.wait_for(collect(Feed(Jobs().read), uuid4()), 10)) == []


def test_a_failed_read_is_repeated() -> None:
    jobs, job = Jobs(), uuid4()
    jobs.now[job] = Snapshot("success")
    jobs.failures = 1
    assert asyncio.run(collect(Feed(jobs.read), job)) == [Snapshot("success")]


def test_a_wait_ends_as_soon_as_the_job_does() -> None:
    jobs, job = Jobs(), uuid4()
    jobs.now[job] = Snapshot("running")

    async def scenario() -> None:
        waiting = asyncio.create_task(Feed(jobs.read).wait(job, 30))
        while len(jobs.asked) < 2:
            await asyncio.sleep(0.01)
        assert not waiting.done()
        jobs.now[job] = Snapshot("failed")
        assert await asyncio.wait_for(waiting, 5) is True

    asyncio.run(scenario())
    assert threading.get_ident() not in jobs.threads


def test_a_wait_is_over_after_its_time() -> None:
    jobs, job = Jobs(), uuid4()
    jobs.now[job] = Snapshot("running")
    assert asyncio.run(Feed(jobs.read).wait(job, 0.12)) is False


def test_many_waits_share_one_read_and_nothing_is_read_after_them() -> None:
    jobs, ids = Jobs(), [uuid4() for _ in range(50)]
    jobs.now = {job: Snapshot("success") for job in ids}

    async def scenario() -> list[bool]:
        feed = Feed(jobs.read)
        ended = await asyncio.gather(*(feed.wait(job, 5) for job in [*ids, ids[0]]))
        assert feed.listeners == 0
        await asyncio.sleep(0.2)
        return ended

    assert asyncio.run(scenario()) == [True] * 51
    assert jobs.asked == [50]


def test_a_new_wait_does_not_wait_for_the_slow_reads_of_an_old_one() -> None:
    jobs, old, new = Jobs(), uuid4(), uuid4()
    jobs.now = {old: Snapshot("running"), new: Snapshot("success")}

    async def scenario() -> float:
        feed = Feed(jobs.read)
        waiting = asyncio.create_task(feed.wait(old, 30))
        while len(jobs.asked) < 1:
            await asyncio.sleep(0.01)
        feed._newest -= 60
        await asyncio.sleep(0.2)
        count, started = len(jobs.asked), time.monotonic()
        assert await feed.wait(new, 5)
        assert len(jobs.asked) == count + 1
        took = time.monotonic() - started
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return took

    assert asyncio.run(scenario()) < 0.3


def test_the_longer_all_listen_the_rarer_the_reads() -> None:
    assert interval(0) == 0.05
    assert interval(0) <= interval(5) <= interval(60) == 0.5


def test_an_event_loop_has_one_feed_of_each_kind() -> None:
    """Who waits has the jobs read often; who follows them would pay for that with reads of tasks."""

    async def scenario() -> list[Feed]:
        return [followed_jobs(), followed_jobs(), awaited_jobs(), awaited_jobs()]

    followed, again, awaited, once_more = asyncio.run(scenario())
    assert followed is again
    assert awaited is once_more
    assert followed is not awaited
