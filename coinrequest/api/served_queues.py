"""The agents and the queues that they serve, for callers that cannot wait long."""

from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout

from coinrequest.airflow.celery_pool import Agent, AgentsUnreachable, uses_agents
from coinrequest.api.routes import agents
from coinrequest.jobs.waiting import Agents

# An answer about a job that waits for an agent.
_JOB_TIMEOUT = 0.3


def served_queues(timeout: float) -> frozenset[str] | None:
    """Return the queues that agents serve; None if they are not known, or if the installation has no agents.

    Args:
        timeout: seconds to wait for a new inspection of the agents; after that, the last result is used.
    """
    found = agents_within(timeout)
    return None if found is None else frozenset(queue for agent in found for queue in agent.queues)


def agents_within(timeout: float) -> Sequence[Agent] | None:
    """Return the agents; None if they are not known, or if the installation has none.

    Args:
        timeout: as for `served_queues`.
    """
    if not uses_agents():
        return None
    try:
        return agents.inspection.call().result(timeout)
    except (FutureTimeout, AgentsUnreachable):
        return agents.inspection.last()


def known_agents() -> Agents:
    """Return what is known about the agents, almost at once; a new inspection may go on in the background."""
    if not uses_agents():
        return Agents()
    try:
        return Agents(agents.inspection.call().result(_JOB_TIMEOUT))
    except FutureTimeout:
        return Agents(agents.inspection.last())
    except AgentsUnreachable as error:
        return Agents(problem=str(error))
