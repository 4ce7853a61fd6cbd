"""What a definition needs and this installation does not have now: its job type is accepted, and warned about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coinrequest import settings
from coinrequest.actions.catalogue import (
    BrokenAction,
    UnknownAction,
    action_names,
    doubts_about,
    find_action,
    is_built_in,
)
from coinrequest.airflow import known_connections
from coinrequest.airflow.api_server.rights import may_read_connection
from coinrequest.airflow.celery_pool import Agent
from coinrequest.airflow.known_connections import Known
from coinrequest.api.authentication import User
from coinrequest.api.models import DefinitionWarning
from coinrequest.api.served_queues import agents_within
from coinrequest.jobtypes.checks import TaskView, task_views

# Seconds. A registration takes 0.1 s itself, and a dry run may take longer.
REGISTRATION_TIMEOUT = 0.1
DRY_RUN_TIMEOUT = 1.5
# Connections are in the database, or in a backend that answers at once; others are not waited for.
_CONNECTIONS_TIMEOUT = 0.5
_REMEDY = "an administrator adds it in Airflow under Admin, Connections"


@dataclass(frozen=True)
class _Use:
    """A place of a definition that names a connection.

    Attributes:
        kinds: the types that it may have; empty: any.
        needs_password: whether only its password is used.
    """

    field: str
    name: str
    kinds: tuple[str, ...] = ()
    needs_password: bool = False


def definition_warnings(user: User, document: Mapping[str, Any], timeout: float) -> list[DefinitionWarning]:
    """Return what may be a mistake in a definition, by field.

    Args:
        user: who sends it; connections that the user may not read are not looked up.
        document: the definition; it may be invalid.
        timeout: seconds to wait for the agents; after that, what was last known of them is used.
    """
    tasks = task_views(document)
    warnings = [*_doubts(tasks), *_of_connections(user, document, tasks)]
    named = {warning.field for warning in warnings}
    agents = agents_within(timeout if any(_needs_agents(task) for task in tasks) else 0)
    return [
        *(warning for warning in _of_agents(tasks, agents or ()) if agents is not None and warning.field not in named),
        *warnings,
    ]


def _needs_agents(task: TaskView) -> bool:
    """Return whether a task asks for something that the agents of a usual installation may not have."""
    if task.queue not in (None, settings.DEFAULT_QUEUE):
        return True
    return task.action is not None and task.action in action_names() and not is_built_in(task.action)


def _of_agents(tasks: Sequence[TaskView], agents: Sequence[Agent]) -> Iterator[DefinitionWarning]:
    for task in tasks:
        queue = task.queue or settings.DEFAULT_QUEUE
        serving = [agent for agent in agents if queue in agent.queues]
        if not serving:
            # Agents of the default queue may be restarting; the health tells if they stay away.
            if queue != settings.DEFAULT_QUEUE:
                yield DefinitionWarning(
                    field=f"tasks[{task.index}].queue",
                    message=f"no agent serves the queue {queue!r}; the task waits until one does",
                )
        elif task.action is not None and (lacking := [agent for agent in serving if agent.lacks(task.action)]):
            who = (
                f"no agent that serves the queue {queue!r} has"
                if len(lacking) == len(serving)
                else f"the agent {lacking[0].name!r}, which serves the queue {queue!r}, does not have"
            )
            yield DefinitionWarning(
                field=f"tasks[{task.index}].action",
                message=f"{who} the action {task.action!r}; an administrator installs its package on the agents",
            )


def _doubts(tasks: Sequence[TaskView]) -> Iterator[DefinitionWarning]:
    """Yield what actions say about the settings of this installation."""
    for task in tasks:
        if task.action is None:
            continue
        try:
            doubts = doubts_about(find_action(task.action), task.inputs or {})
        except (UnknownAction, BrokenAction):
            continue
        for field, message in doubts.items():
            yield DefinitionWarning(field=f"tasks[{task.index}].inputs.{field}", message=message)


def _of_connections(user: User, document: Mapping[str, Any], tasks: Sequence[TaskView]) -> Iterator[DefinitionWarning]:
    uses = [use for use in (*_in_tasks(tasks), *_in_notices(document)) if may_read_connection(user, use.name)]
    known = known_connections.find(dict.fromkeys(use.name for use in uses), _CONNECTIONS_TIMEOUT)
    for use in uses:
        if use.name in known and (message := _problem(use, known[use.name])) is not None:
            yield DefinitionWarning(field=use.field, message=message)


def _problem(use: _Use, known: Known) -> str | None:
    if known.kind is None:
        return f"there is no connection {use.name!r}; {_REMEDY}"
    if use.kinds and known.kind not in use.kinds:
        return f"the connection {use.name!r} has the type {known.kind!r}; it must be {' or '.join(use.kinds)}"
    if use.needs_password and not known.has_password:
        return f"the password of the connection {use.name!r}, which is used here, is empty"
    return None


def _in_tasks(tasks: Sequence[TaskView]) -> Iterator[_Use]:
    for task in tasks:
        name = (task.inputs or {}).get("connection")
        if task.action is None or not _is_name(name):
            continue
        try:
            action = find_action(task.action)
        except (UnknownAction, BrokenAction):
            continue
        if "connection" in action.Inputs.model_fields:
            yield _Use(f"tasks[{task.index}].inputs.connection", str(name), action.connection_kinds)


def _in_notices(document: Mapping[str, Any]) -> Iterator[_Use]:
    notify = document.get("notify")
    for index, entry in enumerate(notify if isinstance(notify, list) else ()):
        for field in ("secret", "apprise"):
            stated = entry.get(field) if isinstance(entry, Mapping) else None
            name = stated.get("connection") if isinstance(stated, Mapping) else None
            if _is_name(name):
                yield _Use(f"notify[{index}].{field}.connection", str(name), needs_password=True)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 250 and "{{" not in value
