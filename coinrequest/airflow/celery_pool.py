"""The agents, as Celery's inspection reports them.

An inspection is a message to all agents, and the number of replies is unknown, so it takes the whole time limit. Every
few seconds all agents are inspected; in between only the known ones, which ends with the last of their replies.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from coinrequest.airflow.workload import Workload, read_workload
from coinrequest.errors import CoinrequestError

T = TypeVar("T")

# Seconds to wait for the next reply, and between two inspections of all agents.
TIME_LIMIT = 1.0
_INSPECT_ALL_AFTER = 10.0


class AgentsUnreachable(CoinrequestError):
    """The broker cannot be reached, so the agents are unknown; the message names the reason."""


@dataclass(frozen=True)
class Running:
    """A task that an agent runs.

    Attributes:
        workload: which task; None if its message is unreadable.
        since: when the agent started it (UTC); None if it has just received it.
    """

    workload: Workload | None
    since: datetime | None


@dataclass(frozen=True)
class Agent:
    """A Celery worker.

    Attributes:
        name: the worker's name, `name@host`.
        queues: the queues from which it takes tasks.
        concurrency: how many tasks it runs at a time.
        started_at: when it started (UTC).
        processed: how many tasks it has received since.
        running: the tasks that it runs, the longest running first.
        trouble: why it takes no tasks; None if it takes them.
        holds: Celery's ids of the tasks that it runs, and of those that it has received and not started.
        actions: the package and version of each action that it has; None if an older agent does not tell.
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
    actions: Mapping[str, str] | None = None

    def lacks(self, action: str) -> bool:
        """Return whether the agent is known not to have an action."""
        return self.actions is not None and action not in self.actions


@dataclass(frozen=True)
class Report:
    """What an agent tells about itself: `trouble`, `queues` and `actions` as in `Agent`."""

    trouble: str | None = None
    queues: tuple[str, ...] = ()
    actions: Mapping[str, str] | None = None


class CeleryPool:
    """Inspects the agents of a Celery application; not for several threads at a time.

    Args:
        application: the Celery application whose broker the agents use.
        time_limit: seconds to wait for the next reply.
        inspect_all_after: seconds after which all agents are inspected again, not only the known ones.
    """

    def __init__(
        self, application: Any, time_limit: float = TIME_LIMIT, *, inspect_all_after: float = _INSPECT_ALL_AFTER
    ) -> None:
        self._application = application
        self._time_limit = time_limit
        self._inspect_all_after = inspect_all_after
        self._known: tuple[str, ...] = ()
        self._inspected_all = float("-inf")

    def agents(self) -> list[Agent]:
        """Return the agents that reply to every inspection, sorted by name.

        Raises:
            AgentsUnreachable: the broker does not respond.
        """
        return self._with_connection(self._inspect)

    def reports(self) -> Mapping[str, Report]:
        """Return what each agent tells about itself, by name.

        Raises:
            AgentsUnreachable: the broker does not respond.
        """
        return self._with_connection(self._reports)

    def troubles(self) -> Mapping[str, str]:
        """Return why agents take no tasks, by name; agents that take tasks are left out.

        Raises:
            AgentsUnreachable: the broker does not respond.
        """
        reports = self.reports()
        return {name: report.trouble for name, report in reports.items() if report.trouble}

    def _with_connection(self, inspect: Callable[[Any], T]) -> T:
        from kombu.exceptions import KombuError

        # The limits of the transport are for agents, which wait for their broker; a person waits for this call.
        limits = {"socket_connect_timeout": self._time_limit, "socket_timeout": self._time_limit}
        with self._application.connection_for_write(
            connect_timeout=self._time_limit, transport_options=limits
        ) as connection:
            try:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
                return inspect(connection)
            except (*connection.connection_errors, *connection.channel_errors, KombuError, OSError) as error:
                self._known = ()
                # Only a reply of the server is shown; other errors may contain an address.
                refused = isinstance(error, connection.channel_errors) or isinstance(
                    error.__cause__, connection.channel_errors
                )
                what = (
                    f"The broker refuses ({error})"
                    if refused
                    else f"The broker does not respond ({type(error).__name__})"
                )
                raise AgentsUnreachable(f"{what}, so the agents cannot be inspected") from error

    def _inspect(self, connection: Any) -> list[Agent]:
        stats = self._stats(connection)
        if not stats:
            return []
        # Agents that have just replied reply at once: these inspections do not take the time limit.
        inspect = self._application.control.inspect(list(stats), timeout=self._time_limit, connection=connection)
        queues, taken, active = inspect.active_queues() or {}, inspect.reserved() or {}, inspect.active() or {}
        reports = self._reports(connection, tuple(stats))
        # An agent with a missing reply would look as if it served no queue, or ran nothing.
        complete = [
            name
            for name in sorted(stats)
            if all(isinstance(reply.get(name), list) for reply in (queues, taken, active))
        ]
        now = datetime.now(UTC)
        return [
            replace(
                _agent(name, stats[name], queues[name], active[name], taken[name], now),
                trouble=reports.get(name, Report()).trouble,
                actions=reports.get(name, Report()).actions,
            )
            for name in complete
        ]

    def _reports(self, connection: Any, names: Sequence[str] = ()) -> Mapping[str, Report]:
        """Inspect these agents; without names, all that reply within the time limit."""
        only = {"destination": list(names), "limit": len(names)} if names else {}
        control = self._application.control
        replies = control.broadcast(
            "coinrequest_intake", reply=True, timeout=self._time_limit, connection=connection, **only
        )
        return {str(name): _report(reply) for one in replies or () for name, reply in one.items()}

    def _stats(self, connection: Any) -> Mapping[str, Any]:
        control = self._application.control
        if self._known and time.monotonic() - self._inspected_all < self._inspect_all_after:
            found = control.inspect(list(self._known), timeout=self._time_limit, connection=connection).stats() or {}
        else:
            self._inspected_all = time.monotonic()
            found = control.inspect(timeout=self._time_limit, connection=connection).stats() or {}
        self._known = tuple(found)
        return {name: stats for name, stats in found.items() if "error" not in stats}


def broker_url() -> str | None:
    """Return the URL of Celery's broker; None if none is configured for this process."""
    from airflow.configuration import conf

    url: str = conf.get("celery", "broker_url", fallback="")
    # Airflow's default names a host that hardly any installation has.
    return None if not url or url == conf.get_default_value("celery", "broker_url") else url


def uses_agents() -> bool:
    """Return whether agents run tasks; with KubernetesExecutor alone, each task runs in a pod of its own."""
    from airflow.configuration import conf

    return "Celery" in conf.get_mandatory_value("core", "executor")


def airflow_pool(time_limit: float = TIME_LIMIT) -> CeleryPool:
    """Return the agents of this installation.

    Args:
        time_limit: seconds to wait for the next reply.

    Raises:
        AgentsUnreachable: no broker is configured for this process.
    """
    if broker_url() is None:
        raise AgentsUnreachable("This process has no broker: set AIRFLOW__CELERY__BROKER_URL for it")
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


def _report(reply: Any) -> Report:
    trouble, actions = (reply.get(name) for name in ("trouble", "actions"))
    queues = reply.get("queues")
    named = {str(name): str(version) for name, version in actions.items()} if isinstance(actions, dict) else None
    return Report(str(trouble) if trouble else None, tuple(map(str, queues)) if isinstance(queues, list) else (), named)


def _dicts(found: Any) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _time(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
