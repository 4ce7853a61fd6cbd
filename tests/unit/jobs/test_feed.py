"""Following jobs without holding anything."""

import asyncio
import threading
from collections.abc import Collection, Mapping
from contextlib import aclosing
from uuid import UUID, uuid4

from coinrequest.airflow.runs import TaskState
from coinrequest.jobs.event_cursor import Snapshot
from coinrequest.jobs.feed import Feed, shared_feed


class Jobs:
    """Jobs that are as the test says."""

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


def test_an_event_loop_has_one_feed() -> None:
    async def scenario() -> tuple[Feed, Feed]:
        return shared_feed(Jobs().read), shared_feed(Jobs().read)

    first, second = asyncio.run(scenario())
    assert first is second
