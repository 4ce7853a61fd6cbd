"""Loads Airflow's models before the process has more than one thread (Airflow 3.3.2)."""


def load() -> None:
    """Import every model and configure SQLAlchemy's mappers.

    Airflow does both when a model is first used, under SQLAlchemy's lock. Another thread that imports a model at that
    moment holds Python's lock of the module and waits for SQLAlchemy's: a deadlock.
    """
    from airflow.models import import_all_models
    from sqlalchemy.orm import configure_mappers

    import_all_models()
    configure_mappers()
