"""Airflow's models, loaded before there is more than one thread (Airflow 3.3.2)."""


def load() -> None:
    """Import every model and configure SQLAlchemy's mappers.

    Airflow does both when a model is used first, under SQLAlchemy's lock; another thread that is importing a model at
    that moment holds Python's lock on its module and waits for SQLAlchemy's. Neither ever goes on.
    """
    from airflow.models import import_all_models
    from sqlalchemy.orm import configure_mappers

    import_all_models()
    configure_mappers()
