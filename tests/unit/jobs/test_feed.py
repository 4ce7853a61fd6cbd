"""Following jobs, and waiting for their end, without holding anything."""

import asyncio
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import aclosing
from uuid import UUID, uuid4

from coinrequest.airflow.runs import TaskState
from coinrequest.jobs.event_cursor import Snapshot
from coinrequest.jobs.feed import Feed, interval, shared_feed


class Jobs:
    """Jobs in the states that the test sets."""

    def __init__(self) -> None:
        self.now: dict[UUID, Snapshot] = {}
        self.asked: list[int] = []
        self.with_tasks: list[int] = []
        self.threads: set[int] = set()
        self.failures = 0

    def read(self, job_ids: Collection[UUID], with_tasks: Collection[UUID]) -> Mapping[UUID, Snapshot]:
        self.asked.append(len(job_ids))
        self.with_tasks.append(len(with_tasks))
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


def test_a_wait_ends_as_soon_as_the_job_does_and_reads_no_tasks() -> None:
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
    assert set(jobs.with_tasks) == {0}
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


def test_a_new_wait_does_not_wait_for_the_slow_reads_of_an_old_stream() -> None:
    jobs, old, new = Jobs(), uuid4(), uuid4()
    jobs.now = {old: Snapshot("running"), new: Snapshot("success")}

    async def scenario() -> float:
        feed = Feed(jobs.read)
        listening = asyncio.create_task(collect(feed, old))
        while len(jobs.asked) < 1:
            await asyncio.sleep(0.01)
        feed._newest -= 60
        await asyncio.sleep(0.2)
        count, started = len(jobs.asked), time.monotonic()
        assert await feed.wait(new, 5)
        assert len(jobs.asked) == count + 1
        took = time.monotonic() - started
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        return took

    assert asyncio.run(scenario()) < 0.3
    assert jobs.with_tasks[-1] == 1


def test_a_stream_that_begins_during_the_read_of_a_wait_gets_the_tasks() -> None:
    jobs, job = Jobs(), uuid4()
    jobs.now[job] = Snapshot("success", (task("success"),))
    reading, go_on = threading.Event(), threading.Event()

    def read(job_ids: Collection[UUID], with_tasks: Collection[UUID]) -> Mapping[UUID, Snapshot]:
        reading.set()
        assert go_on.wait(10)
        return {job: jobs.now[job] if job in with_tasks else Snapshot("success")}

    async def scenario() -> list[Snapshot]:
        feed = Feed(read)
        waiting = asyncio.create_task(feed.wait(job, 30))
        while not reading.is_set():
            await asyncio.sleep(0.01)
        listening = asyncio.create_task(collect(feed, job))
        while feed.listeners < 2:
            await asyncio.sleep(0.01)
        go_on.set()
        assert await waiting
        return await asyncio.wait_for(listening, 10)

    assert asyncio.run(scenario()) == [jobs.now[job]]


def test_the_longer_all_listen_the_rarer_the_reads() -> None:
    assert interval(0) == 0.05
    assert interval(0) <= interval(5) <= interval(60) == 0.5


def test_an_event_loop_has_one_feed() -> None:
    async def scenario() -> tuple[Feed, Feed]:
        return shared_feed(), shared_feed()

    first, second = asyncio.run(scenario())
    assert first is second
