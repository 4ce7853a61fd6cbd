"""Prepares the metadata database of the embedded stack: `python -m coinrequest.install.prepare`.

It migrates Airflow's tables and our own, registers the built-in job types, and creates the users. The supervisor reads
the lines `MIGRATED` and `REGISTERED` to follow the progress. One process does it all, because importing Airflow is most
of the work.
"""

import sys

from coinrequest.airflow import metadata_database

MIGRATED = "coinrequest: the database is migrated"
REGISTERED = "coinrequest: the built-in job types are registered"


def main() -> int:
    """Prepare the database; return the exit code."""
    from coinrequest.install.users import create_users

    metadata_database.migrate()
    print(MIGRATED, flush=True)
    register_built_in_types()
    print(REGISTERED, flush=True)
    create_users()
    return 0


def register_built_in_types() -> None:
    """Register the built-in job types."""
    from coinrequest.install import built_in_types

    metadata_database.register_bundles()
    built_in_types.main()


if __name__ == "__main__":
    sys.exit(main())
