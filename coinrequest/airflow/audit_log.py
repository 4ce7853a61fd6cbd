"""Lines in Airflow's audit log (Airflow 3.3.2)."""

from sqlalchemy.orm import Session


def record(
    session: Session, event: str, dag_id: str, *, user: str, run_id: str | None = None, extra: str | None = None
) -> None:
    """Write a line about a DAG, or about one of its runs, when the caller commits.

    Args:
        event: what happened, such as `job.cancel`.
        user: who did it.
        extra: details, for a person.
    """
    from airflow.models.log import Log

    session.add(Log(event=event, owner=user, dag_id=dag_id, run_id=run_id, extra=extra))
