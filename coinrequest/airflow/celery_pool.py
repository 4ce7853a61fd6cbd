"""The agents, as Celery's own inspection tells of them.

An inspection is a message to all agents, and a wait for answers from who knows how many. So every few seconds all
are asked and waited for; in between only those that are known are, and the answer comes with the last of theirs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from coinrequest.airflow.workload import Workload, read_workload

T = TypeVar("T")

# For how long the next answer is waited for.
TIME_LIMIT = 1.0
_ASK_ALL_AFTER = 10.0


class AgentsUnreachable(Exception):
    """The broker cannot be asked for the agents; the message says why."""


@dataclass(frozen=True)
class Running:
    """A task that an agent runs.

    Attributes:
        workload: which task; None: its message is unreadable.
        since: when the agent began (UTC); None: it has just taken it.
    """

    workload: Workload | None
    since: datetime | None


@dataclass(frozen=True)
class Agent:
    """A Celery worker.

    Attributes:
        name: the worker's name, `name@host`.
        queues: from which it takes tasks.
        concurrency: so many tasks at a time.
        started_at: UTC.
        processed: how many tasks it took since.
        running: longest first.
        trouble: why it takes no tasks; None: it takes them.
        holds: Celery's ids of the tasks that it runs, and of those that it has taken and not begun.
    """

    name: str
    host: str
    queues: tuple[str, ...]
    concurrency: int
    started_at: datetime
    processed: int
    running: tuple[Running, ...]
    trouble: str | None = None
    holds: frozenset[str] = frozenset()


class CeleryPool:
    """Asks the agents of a Celery application; for one thread at a time.

    Args:
        application: the Celery application whose broker the agents listen to.
        time_limit: for how many seconds the next answer is waited for.
        ask_all_after: after how many seconds all are asked again, not only those that are known.
    """

    def __init__(
        self, application: Any, time_limit: float = TIME_LIMIT, *, ask_all_after: float = _ASK_ALL_AFTER
    ) -> None:
        self._application = application
        self._time_limit = time_limit
        self._ask_all_after = ask_all_after
        self._known: tuple[str, ...] = ()
        self._asked_all = float("-inf")

    def agents(self) -> list[Agent]:
        """Return the agents that answer all that they are asked, by name.

        Raises:
            AgentsUnreachable: the broker does not answer.
        """
        return self._with_connection(self._ask)

    def troubles(self) -> Mapping[str, str]:
        """Return why agents take no tasks, by their names; those that take them are left out.

        Raises:
            AgentsUnreachable: the broker does not answer.
        """
        return self._with_connection(self._troubles)

    def _with_connection(self, ask: Callable[[Any], T]) -> T:
        from kombu.exceptions import KombuError

        # The transport's own limits are for agents, which wait for their broker; this one is for a person.
        patience = {"socket_connect_timeout": self._time_limit, "socket_timeout": self._time_limit}
        with self._application.connection_for_write(
            connect_timeout=self._time_limit, transport_options=patience
        ) as connection:
            try:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
                return ask(connection)
            except (*connection.connection_errors, *connection.channel_errors, KombuError, OSError) as error:
                self._known = ()
                # Only what a server answers are its words; others may name an address.
                refused = isinstance(error, connection.channel_errors) or isinstance(
                    error.__cause__, connection.channel_errors
                )
                what = (
                    f"The broker refuses ({error})"
                    if refused
                    else f"The broker does not answer ({type(error).__name__})"
                )
                raise AgentsUnreachable(f"{what}, so the agents cannot be asked") from error

    def _ask(self, connection: Any) -> list[Agent]:
        stats = self._stats(connection)
        if not stats:
            return []
        # Who answered once answers at once: these two do not wait for the time limit.
        inspect = self._application.control.inspect(list(stats), timeout=self._time_limit, connection=connection)
        queues, taken, active = inspect.active_queues() or {}, inspect.reserved() or {}, inspect.active() or {}
        troubles = self._troubles(connection, tuple(stats))
        # One that did not answer all of it in time would be one that serves no queue, or runs nothing.
        whole = [
            name for name in sorted(stats) if all(isinstance(told.get(name), list) for told in (queues, taken, active))
        ]
        now = datetime.now(UTC)
        return [
            replace(
                _agent(name, stats[name], queues[name], active[name], taken[name], now),
                trouble=troubles.get(name),
            )
            for name in whole
        ]

    def _troubles(self, connection: Any, names: Sequence[str] = ()) -> Mapping[str, str]:
        """Ask those agents; none: all that answer within the time limit."""
        only = {"destination": list(names), "limit": len(names)} if names else {}
        control = self._application.control
        answers = control.broadcast(
            "coinrequest_intake", reply=True, timeout=self._time_limit, connection=connection, **only
        )
        told = {name: answer.get("trouble") for one in answers or () for name, answer in one.items()}
        return {str(name): str(reason) for name, reason in told.items() if reason}

    def _stats(self, connection: Any) -> Mapping[str, Any]:
        control = self._application.control
        if self._known and time.monotonic() - self._asked_all < self._ask_all_after:
            found = control.inspect(list(self._known), timeout=self._time_limit, connection=connection).stats() or {}
        else:
            self._asked_all = time.monotonic()
            found = control.inspect(timeout=self._time_limit, connection=connection).stats() or {}
        self._known = tuple(found)
        return {name: stats for name, stats in found.items() if "error" not in stats}


def broker_url() -> str | None:
    """Return the URL of Celery's broker; None: nothing is configured for this process."""
    from airflow.configuration import conf

    url: str = conf.get("celery", "broker_url", fallback="")
    # Airflow's default names a host that hardly anybody has.
    return None if not url or url == conf.get_default_value("celery", "broker_url") else url


def uses_agents() -> bool:
    """Return whether agents run tasks; with KubernetesExecutor alone each task has a pod of its own."""
    from airflow.configuration import conf

    return "Celery" in conf.get_mandatory_value("core", "executor")


def airflow_pool(time_limit: float = TIME_LIMIT) -> CeleryPool:
    """Return the agents of this installation.

    Args:
        time_limit: for how many seconds the next answer is waited for.

    Raises:
        AgentsUnreachable: no broker is configured for this process.
    """
    if broker_url() is None:
        raise AgentsUnreachable("This process has no broker to ask: set AIRFLOW__CELERY__BROKER_URL for it")
    from airflow.providers.celery.executors.celery_executor_utils import app

    return CeleryPool(app, time_limit)


def _agent(name: str, stats: Mapping[str, Any], queues: Any, active: Any, taken: Any, now: datetime) -> Agent:
    running = [Running(read_workload(task.get("args")), _time(task.get("time_start"))) for task in _dicts(active)]
    return Agent(
        name=name,
        host=name.rpartition("@")[2],
        queues=tuple(sorted(str(queue.get("name")) for queue in _dicts(queues))),
        concurrency=int((stats.get("pool") or {}).get("max-concurrency") or 0),
        started_at=now - timedelta(seconds=float(stats.get("uptime") or 0)),
        processed=sum((stats.get("total") or {}).values()),
        running=tuple(sorted(running, key=lambda task: task.since or now)),
        holds=frozenset(str(task.get("id")) for task in (*_dicts(active), *_dicts(taken))),
    )


def _dicts(found: Any) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _time(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
