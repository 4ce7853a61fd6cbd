"""Events of assets that no run has consumed yet (Airflow 3.3.2)."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def waiting(session: Session, dag_id: str) -> set[str]:
    """Return the assets with an event that waits to start the DAG, together with events of the DAG's other assets."""
    query = text(
        "SELECT asset.name FROM asset_dag_run_queue AS queue JOIN asset ON asset.id = queue.asset_id"
        " WHERE queue.target_dag_id = :dag_id"
    )
    return set(session.scalars(query, {"dag_id": dag_id}))
