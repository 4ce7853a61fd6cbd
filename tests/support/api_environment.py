"""A throwaway PostgreSQL, migrated, with the API server of Airflow over it in this process."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coinrequest.install.secrets import Secrets, ensure_secrets
from coinrequest.stack import servers
from coinrequest.stack.environment import database_url
from coinrequest.stack.layout import Layout, project_root
from coinrequest.stack.ports import Ports, choose_ports
from coinrequest.stack.programs import Child

# Gives the client of a role; None: of somebody without a token.
Clients = Callable[[str | None], Any]
# Executes a statement, with its values by name.
Sql = Callable[..., None]

ROLES = ("Viewer", "User", "Op", "Admin")


@contextmanager
def postgres(root: Path) -> Iterator[str]:
    """Run a PostgreSQL server below `root`; give the URL of an empty database."""
    layout = Layout(root)
    layout.create()
    ports, _notes = choose_ports(layout)
    secrets = ensure_secrets(layout.secrets)
    servers.create_database(layout, secrets.postgres_superuser)
    child = Child(servers.postgres_program(layout, ports, run="api-tests"))
    try:
        _await_ready(child)
        servers.ensure_roles(layout, ports, secrets)
        yield _url(ports, secrets)
    finally:
        child.stop()


def _url(ports: Ports, secrets: Secrets) -> str:
    return database_url(ports, "airflow", secrets.postgres_owner)


def _await_ready(child: Child) -> None:
    import time

    deadline = time.monotonic() + child.program.ready_timeout
    while not child.program.is_ready(child):
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL did not start:\n" + "\n".join(child.tail()))
        time.sleep(0.05)


def settings(root: Path, url: str) -> dict[str, str]:
    """Return the environment of an API server over the database at `url`."""
    bundle = "coinrequest.generator.bundle.JobTypeBundle"
    return {
        "AIRFLOW_HOME": str(root / "airflow"),
        "AIRFLOW_CONFIG": str(project_root() / "config" / "airflow.cfg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS": "coinrequest.database.migrations.manager.RegistryDBManager",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(project_root() / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project_root() / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__API__SECRET_KEY": "tests" * 16,
        "AIRFLOW__API_AUTH__JWT_SECRET": "tests" * 16,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(root / "task-logs"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(root / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": (
            f'[{{"name": "job_types", "classpath": "{bundle}", "kwargs": {{}}}}]'
        ),
        "COINREQUEST_REGISTRY_URL": url,
        "COINREQUEST_BASE_URL": "http://airflow.test",
    }


def clear(variables: dict[str, str]) -> None:
    """Take every setting of Airflow and of the project out of the environment but `variables`."""
    for name in tuple(os.environ):
        if name.startswith(("AIRFLOW", "COINREQUEST_")):
            del os.environ[name]
    os.environ.update(variables)


def reconnect() -> None:
    """Let Airflow use the environment as it is now, also when a test imported it before."""
    from airflow import settings as airflow_settings
    from airflow.config_templates import airflow_local_settings
    from airflow.configuration import conf
    from airflow.logging_config import configure_logging

    conf.read(os.environ["AIRFLOW_CONFIG"])
    airflow_settings.configure_vars()
    airflow_settings.configure_orm()
    # It has the folder of the logs as it was at the first import.
    importlib.reload(airflow_local_settings)
    configure_logging()


def migrate() -> None:
    """Do what `airflow db migrate` does, and note the bundle as the dag-processor would."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.utils import db
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    providers_configuration_loaded(db.upgradedb)()
    DagBundlesManager().sync_bundles_to_db()


def create_users() -> None:
    """Create a user for each role, named as it in lower case."""
    from airflow.providers.fab.www.security_appless import ApplessAirflowSecurityManager
    from airflow.utils.session import create_session

    with create_session() as session:
        security = ApplessAirflowSecurityManager(session=session)
        for role in ROLES:
            security.add_user(
                username=role.lower(),
                first_name=role,
                last_name="Tester",
                email=f"{role.lower()}@example.org",
                role=security.find_role(role),
                hashed_password="not a password",
            )


def definition(name: str, **fields: Any) -> dict[str, Any]:
    """Return a small valid definition."""
    wait = {"id": "wait", "action": "integer.wait", "inputs": {"value": 0}}
    return {"name": name, "tasks": [wait], **fields}


def contents() -> dict[str, tuple[int, str]]:
    """Return the number of rows of every table, and a digest of them; what only notes visits is left out."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    # Sessions, users' last visits and counted passwords are no change that a caller asked for.
    ignored = {"session", "ab_user", "revoked_token", "coinrequest_sign_in"}
    found = {}
    with create_session(scoped=False) as session:
        names = session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        ).all()
        for table in names:
            if table in ignored:
                continue
            row = session.execute(
                text(  # the names come from pg_tables
                    "SELECT count(*), coalesce(md5(string_agg(line, '|' ORDER BY line)), '')"  # noqa: S608 - names of tables
                    f' FROM (SELECT t::text AS line FROM "{table}" AS t) AS lines'
                )
            ).one()
            found[table] = (int(row[0]), str(row[1]))
    return found


def finish(name: str, run_id: str, state: str = "success", outputs: dict[str, Any] | None = None) -> None:
    """Let a run end as the scheduler and an agent would: states, times, and what its tasks returned."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import text

    key = {"dag_id": name, "run_id": run_id, "state": state}
    statements = (
        "UPDATE task_instance SET state = :state, end_date = now() WHERE dag_id = :dag_id AND run_id = :run_id",
        "UPDATE dag_run SET state = :state, start_date = now(), end_date = now()"
        " WHERE dag_id = :dag_id AND run_id = :run_id",
    )
    with create_session(scoped=False) as session:
        for task, output in (outputs or {}).items():
            values = enumerate(output) if isinstance(output, list) else [(-1, output)]
            for index, value in values:
                XComModel.set(
                    key="return_value",
                    value=value,
                    dag_id=name,
                    task_id=task,
                    run_id=run_id,
                    map_index=index,
                    serialize=False,
                    session=session,
                )
        for statement in statements:
            session.execute(text(statement), key)
