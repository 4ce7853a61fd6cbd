"""When Airflow's processes last showed that they live (Airflow 3.3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from coinrequest.airflow.dag_tables import BUNDLE_NAME

_PROCESSES = {"SchedulerJob": "scheduler", "DagProcessorJob": "dag_processor", "TriggererJob": "triggerer"}
_AGES = text(
    """
    SELECT job_type, extract(epoch FROM now() - max(latest_heartbeat)) AS age
    FROM job WHERE state = 'running' AND job_type = ANY(:job_types) GROUP BY job_type
    """
)

# Written after each refresh that succeeded, every few seconds.
_FOLLOWED = text("SELECT extract(epoch FROM now() - last_refreshed) FROM dag_bundle WHERE name = :bundle")


@dataclass(frozen=True)
class Process:
    """One of Airflow's processes; `latest` is its last heartbeat in ISO 8601, None where there never was one."""

    is_healthy: bool
    latest: str | None


def processes() -> Mapping[str, Process]:
    """Return the scheduler, the dag_processor and the triggerer, as Airflow's own health report judges them."""
    from airflow.api.common.airflow_health import get_airflow_health

    found: Mapping[str, Mapping[str, Any]] = get_airflow_health()
    return {
        name: Process(found[name]["status"] == "healthy", found[name].get(f"latest_{name}_heartbeat"))
        for name in _PROCESSES.values()
    }


def ages(session: Session) -> Mapping[str, float]:
    """Return how long ago the last sign of life came of the scheduler, the dag_processor and the triggerer, in seconds.

    Of several that run, the newest counts. A process of which none runs is left out: it never ran, or was stopped.
    """
    rows = session.execute(_AGES, {"job_types": list(_PROCESSES)})
    # The time is that of the process' own clock, which may be ahead of the database's.
    return {_PROCESSES[row.job_type]: max(float(row.age), 0.0) for row in rows}


def not_followed_for(session: Session) -> float:
    """Return for how many seconds no dag-processor has brought its files up to the registry; 0: none ever did."""
    age = session.scalar(_FOLLOWED, {"bundle": BUNDLE_NAME})
    return max(float(age or 0.0), 0.0)
