"""Heartbeats of Airflow's processes (Airflow 3.3.2)."""

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

# Airflow writes it after each successful refresh, every few seconds.
_REFRESHED = text("SELECT extract(epoch FROM now() - last_refreshed) FROM dag_bundle WHERE name = :bundle")


@dataclass(frozen=True)
class Process:
    """One of Airflow's processes; `latest` is its last heartbeat in ISO 8601; None if there never was one."""

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
    """Return the age in seconds of the last heartbeat of the scheduler, the dag_processor and the triggerer.

    If several of a kind run, the newest heartbeat counts. A kind of which none runs is left out.
    """
    rows = session.execute(_AGES, {"job_types": list(_PROCESSES)})
    # Heartbeats are timed by the process' own clock, which may be ahead of the database's.
    return {_PROCESSES[row.job_type]: max(float(row.age), 0.0) for row in rows}


def refresh_age(session: Session) -> float:
    """Return the seconds since a dag-processor last refreshed the bundle of the job types; 0 if none ever did."""
    age = session.scalar(_REFRESHED, {"bundle": BUNDLE_NAME})
    return max(float(age or 0.0), 0.0)
