"""A gateway's consumer in a thread, with a store that the test decides on."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from coinrequest.channel.publisher import ResultPublisher
from coinrequest.gateway.consumer import Consumer
from coinrequest.gateway.outcomes import MessageRefused, Outcome
from coinrequest.gateway.status import ChannelStatus


@dataclass(frozen=True)
class Order:
    """What a message asks for."""

    job_id: UUID
    job_type: str


Decide = Callable[[Order], Outcome | None]


def read(body: bytes, content_type: str | None) -> Order:
    """Read a message of the short form; a stand-in for the gateway's own, which comes with Airflow."""
    try:
        found = json.loads(body)
        return Order(UUID(found["job_id"]), found["job_payload"]["type"])
    except (ValueError, TypeError):
        raise MessageRefused("is not JSON") from None
    except KeyError as missing:
        raise MessageRefused(f"{missing} is required", UUID(found["job_id"])) from None


class Store:
    """Remembers what it was asked to store, in the order of the batches, and what became of it."""

    def __init__(self, decide: Decide | None = None) -> None:
        self.batches: list[list[UUID]] = []
        self.stored: set[UUID] = set()
        self.decide = decide
        self.calls = 0

    def __call__(self, orders: Sequence[Order]) -> list[Outcome]:
        self.calls += 1
        self.batches.append([order.job_id for order in orders])
        return [self._one(order) for order in orders]

    def _one(self, order: Order) -> Outcome:
        outcome = self.decide(order) if self.decide else None
        if outcome is None:
            outcome = Outcome("known" if order.job_id in self.stored else "stored")
        if outcome.kind == "stored":
            self.stored.add(order.job_id)
        return outcome

    @property
    def seen(self) -> list[UUID]:
        """All ids that came, also more than once."""
        return [job_id for batch in self.batches for job_id in batch]


@contextmanager
def running_consumer(url: str, store: Store, **options: Any) -> Iterator[ChannelStatus]:
    """Run a consumer while the block runs."""
    stop, status = threading.Event(), ChannelStatus(configured=True)
    publisher = ResultPublisher(url)
    consumer = Consumer(url, read, store, publisher, status, **options)
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    try:
        yield status
    finally:
        stop.set()
        thread.join(20)
        publisher.close()
        assert not thread.is_alive(), "the consumer did not stop"


def message(job_id: UUID | str | None = None, value: Any = 1, job_type: str = "integer") -> str:
    """Return a job message of the short form."""
    return json.dumps({"job_id": str(job_id or uuid4()), "job_payload": {"type": job_type, "value": value}})
