"""The gateway's process: its threads, and how it begins and ends."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from coinrequest import settings
from coinrequest.airflow import models
from coinrequest.airflow.session import airflow_session
from coinrequest.backoff import Backoff
from coinrequest.channel.publisher import ResultPublisher
from coinrequest.gateway.consumer import Consumer
from coinrequest.gateway.heartbeat import SECONDS, Heartbeat
from coinrequest.gateway.listener import listen
from coinrequest.gateway.parsing import MAX_MESSAGE_BYTES, read_order
from coinrequest.gateway.periodic import Periodic
from coinrequest.gateway.status import ChannelStatus
from coinrequest.gateway.storage import store
from coinrequest.metrics import cloudwatch
from coinrequest.notices.dispatch import Dispatcher
from coinrequest.notices.outbox import expand

log = logging.getLogger(__name__)

# A person, the embedded stack and Docker all wait 10 s before they kill.
STOP_SECONDS = 8.0
_SWEEP_SECONDS = 60.0
_EXPAND_SECONDS = 1.0
_BATCH = 100


class Gateway:
    """One gateway. Any number may run side by side.

    Args:
        channel: the broker's URL; None: there is no channel, and notices alone are delivered.
        database: the URL of the metadata database, without a driver.
    """

    def __init__(self, channel: str | None, database: str) -> None:
        self._stop = threading.Event()
        self._failed = False
        self._database = database
        self._heartbeat = Periodic("write the sign of life", self._show, SECONDS)
        self._status = ChannelStatus(configured=channel is not None, changed=self._heartbeat.wake)
        self._presence = Heartbeat(self._status)
        self._publishers = [] if channel is None else [ResultPublisher(channel), ResultPublisher(channel, "refusals")]
        self._dispatcher = Dispatcher(self._publishers[0] if self._publishers else None)
        self._expansion = Periodic("make notices", self._expand, _EXPAND_SECONDS)
        self._sweep = Periodic("look for runs that were missed", _sweep, _SWEEP_SECONDS)
        namespace = settings.cloudwatch_namespace()
        self._metrics = (
            None
            if namespace is None
            else Periodic("write the metrics", lambda: cloudwatch.write(namespace), cloudwatch.SECONDS)
        )
        self._consumer = (
            None
            if channel is None
            else Consumer(channel, read_order, store, self._publishers[1], self._status, largest=MAX_MESSAGE_BYTES)
        )

    def stop(self) -> None:
        """End, from any thread or from a signal's handler."""
        self._stop.set()

    def run(self) -> int:
        """Work until `stop` is called; return the exit code.

        The database is waited for, and so is its migration.
        """
        models.load()
        self._await_database()
        works: dict[str, Callable[[threading.Event], None]] = {
            "heartbeat": self._heartbeat.run,
            "notices": self._dispatcher.run,
            "expansion": self._expansion.run,
            "listener": lambda stop: listen(self._database, self._expansion.wake, stop),
            "sweep": self._sweep.run,
        }
        if self._consumer is not None:
            works["consumer"] = self._consumer.run
        if self._metrics is not None:
            works["metrics"] = self._metrics.run
        threads = {
            name: threading.Thread(target=self._guarded, args=(name, work), name=name, daemon=True)
            for name, work in works.items()
        }
        if not self._stop.is_set():
            for thread in threads.values():
                thread.start()
            log.info("Gateway is ready: %s, channel: %s", self._presence.name, "yes" if self._consumer else "none")
            self._stop.wait()
            self._end(threads)
        return 1 if self._failed else 0

    def _await_database(self) -> None:
        backoff, said = Backoff(longest=5.0), False
        while not self._stop.is_set():
            try:
                self._presence.show()
            except Exception as error:
                if not said:
                    log.warning("Waiting for the database and its tables: %s", str(error).partition("\n")[0])
                said = True
                self._stop.wait(backoff.next())
            else:
                return

    def _guarded(self, name: str, work: Callable[[threading.Event], None]) -> None:
        """End the whole process when one of its threads does what it must not: whoever runs it starts it again."""
        try:
            work(self._stop)
        except Exception:
            log.exception("The %s failed; the gateway ends", name)
            self._failed = True
        finally:
            self._stop.set()

    def _end(self, threads: Mapping[str, threading.Thread]) -> None:
        log.info("Gateway is stopping")
        for woken in (self._dispatcher, self._expansion, self._heartbeat, self._sweep, self._metrics):
            if woken is not None:
                woken.wake()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in threads.values():
            thread.join(max(deadline - time.monotonic(), 0.0))
        late = [name for name, thread in threads.items() if thread.is_alive()]
        if late:
            log.warning("Not waiting any longer for: %s", ", ".join(late))
        for publisher in self._publishers:
            publisher.close()
        try:
            self._presence.remove()
        except Exception as error:
            log.warning("The sign of life cannot be removed: %s", str(error).partition("\n")[0])
        log.info("Gateway has stopped")

    def _expand(self) -> bool:
        with airflow_session() as session:
            count = expand(session, _BATCH)
        if count:
            self._dispatcher.wake()
        return count >= _BATCH

    def _show(self) -> bool:
        self._presence.show()
        return False


def _sweep() -> bool:
    from coinrequest.airflow.run_sweep import sweep

    with airflow_session() as session:
        found = sweep(session)
    if found:
        log.warning("%d jobs were not in step with their runs, and are now", found)
    return False
