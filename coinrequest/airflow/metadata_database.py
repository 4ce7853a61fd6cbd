"""Airflow's metadata database as a whole: its address, and what `airflow db migrate` does (Airflow 3.3.2)."""


def url() -> str | None:
    """Return the URL as PostgreSQL's own library reads it; None: it is not set, or no PostgreSQL."""
    from airflow.configuration import conf
    from sqlalchemy import make_url

    configured = conf.get("database", "sql_alchemy_conn", fallback="")
    if not configured.startswith("postgresql"):
        return None
    return make_url(configured).set(drivername="postgresql").render_as_string(hide_password=False)


def migrate() -> None:
    """Create or upgrade Airflow's tables and the project's own, as `airflow db migrate` does."""
    from airflow.utils import db
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    providers_configuration_loaded(db.upgradedb)()


def register_bundles() -> None:
    """Write the DAG bundles down, as the first start of a dag-processor does; a published DAG refers to its bundle."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
