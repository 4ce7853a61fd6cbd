"""The process of a gateway: starts and stops its threads."""

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
from coinrequest.gateway.parsing import MAX_SENT_BYTES, parse_message
from coinrequest.gateway.periodic import Periodic
from coinrequest.gateway.status import ChannelStatus
from coinrequest.gateway.storage import store
from coinrequest.metrics import cloudwatch
from coinrequest.notices.dispatch import Dispatcher
from coinrequest.notices.outbox import expand

log = logging.getLogger(__name__)

# The embedded stack and Docker wait 10 s before they kill the process.
STOP_SECONDS = 8.0
_SWEEP_SECONDS = 60.0
_EXPAND_SECONDS = 1.0
_BATCH = 100


class Gateway:
    """One gateway. Any number may run side by side.

    Args:
        channel: the URL of the channel's broker; None if there are only notices to deliver.
        database: the URL of the metadata database, without a driver.
    """

    def __init__(self, channel: str | None, database: str) -> None:
        self._stop = threading.Event()
        self._failed = False
        self._database = database
        self._heartbeats = Periodic("write the heartbeat", self._write_heartbeat, SECONDS)
        self._status = ChannelStatus(configured=channel is not None, on_change=self._heartbeats.wake)
        self._heartbeat = Heartbeat(self._status)
        self._publishers = [] if channel is None else [ResultPublisher(channel), ResultPublisher(channel, "refusals")]
        self._dispatcher = Dispatcher(self._publishers[0] if self._publishers else None)
        self._expansion = Periodic("create notices", self._expand, _EXPAND_SECONDS)
        self._sweep = Periodic("find untracked changes of runs", _sweep, _SWEEP_SECONDS)
        namespace = settings.cloudwatch_namespace()
        self._metrics = (
            None
            if namespace is None
            else Periodic("write the metrics", lambda: cloudwatch.write(namespace), cloudwatch.SECONDS)
        )
        self._consumer = (
            None
            if channel is None
            else Consumer(channel, parse_message, store, self._publishers[1], self._status, largest=MAX_SENT_BYTES)
        )

    def stop(self) -> None:
        """Stop the gateway, from any thread or a signal handler."""
        self._stop.set()

    def run(self) -> int:
        """Run until `stop` is called; return the exit code.

        It first waits for the database and its migration.
        """
        models.load()
        self._await_database()
        loops: dict[str, Callable[[threading.Event], None]] = {
            "heartbeat": self._heartbeats.run,
            "notices": self._dispatcher.run,
            "expansion": self._expansion.run,
            "listener": lambda stop: listen(self._database, self._expansion.wake, stop),
            "sweep": self._sweep.run,
        }
        if self._consumer is not None:
            loops["consumer"] = self._consumer.run
        if self._metrics is not None:
            loops["metrics"] = self._metrics.run
        threads = {
            name: threading.Thread(target=self._guarded, args=(name, loop), name=name, daemon=True)
            for name, loop in loops.items()
        }
        if not self._stop.is_set():
            for thread in threads.values():
                thread.start()
            log.info("Gateway is ready: %s, channel: %s", self._heartbeat.name, "yes" if self._consumer else "none")
            self._stop.wait()
            self._shut_down(threads)
        return 1 if self._failed else 0

    def _await_database(self) -> None:
        backoff, logged = Backoff(longest=5.0), False
        while not self._stop.is_set():
            try:
                self._heartbeat.write()
            except Exception as error:
                if not logged:
                    log.warning("Waiting for the database and its tables: %s", str(error).partition("\n")[0])
                logged = True
                self._stop.wait(backoff.next())
            else:
                return

    def _guarded(self, name: str, loop: Callable[[threading.Event], None]) -> None:
        """Stop the whole process if one of its threads fails, so that its supervisor restarts it."""
        try:
            loop(self._stop)
        except Exception:
            log.exception("The %s failed; stopping the gateway", name)
            self._failed = True
        finally:
            self._stop.set()

    def _shut_down(self, threads: Mapping[str, threading.Thread]) -> None:
        log.info("Gateway is stopping")
        for sleeping in (self._dispatcher, self._expansion, self._heartbeats, self._sweep, self._metrics):
            if sleeping is not None:
                sleeping.wake()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in threads.values():
            thread.join(max(deadline - time.monotonic(), 0.0))
        late = [name for name, thread in threads.items() if thread.is_alive()]
        if late:
            log.warning("No longer waiting for: %s", ", ".join(late))
        for publisher in self._publishers:
            publisher.close()
        try:
            self._heartbeat.remove()
        except Exception as error:
            log.warning("Cannot remove the heartbeat: %s", str(error).partition("\n")[0])
        log.info("Gateway has stopped")

    def _expand(self) -> bool:
        with airflow_session() as session:
            count = expand(session, _BATCH)
        if count:
            self._dispatcher.wake()
        return count >= _BATCH

    def _write_heartbeat(self) -> bool:
        self._heartbeat.write()
        return False


def _sweep() -> bool:
    from coinrequest.airflow.run_sweep import sweep

    with airflow_session() as session:
        found = sweep(session)
    if found:
        log.warning("%d jobs had missed a change of their runs, and were updated", found)
    return False
