"""Prepares the metadata database in one process, because importing Airflow is most of the work.

`python -m coinrequest.install.prepare`: migrate (Airflow's tables and the project's own), write `MIGRATED` to standard
output, seed the built-in job types, create the users.
"""

import importlib.util
import sys

MIGRATED = "coinrequest: the database is migrated"
SEEDED = "coinrequest: the built-in job types are registered"


def main() -> int:
    """Prepare the database; return the exit code."""
    migrate()
    print(MIGRATED, flush=True)
    seed()
    print(SEEDED, flush=True)
    from coinrequest.install.users import create_users

    create_users()
    return 0


def migrate() -> None:
    """Do what `airflow db migrate` does."""
    from airflow.utils import db
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    providers_configuration_loaded(db.upgradedb)()


def seed() -> None:
    """Register the built-in job types, where the project has any."""
    if importlib.util.find_spec("coinrequest.install.built_in_types") is None:
        return
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    from coinrequest.install import built_in_types as built_in

    # A published DAG refers to its bundle; the DAG processor, which notes the bundles otherwise, has not run yet.
    DagBundlesManager().sync_bundles_to_db()
    built_in.main()


if __name__ == "__main__":
    sys.exit(main())
