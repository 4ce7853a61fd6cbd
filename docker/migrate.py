"""Prepare the metadata database: tables, built-in job types, roles, users. Repeating it changes nothing.

One process for all four, because importing Airflow is most of the work.
"""

import sys

from coinrequest.install.prepare import migrate, seed
from coinrequest.install.users import create_users


def create_roles() -> None:
    """Do what `airflow sync-perm` does; the web server, which does it otherwise, starts after this."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        builder.add_permissions(update_perms=True)
        builder.sm.sync_roles()


def main() -> int:
    """Prepare the database; return the exit code."""
    for step in (migrate, seed, create_roles, create_users):
        step()
        sys.stdout.write(f"coinrequest: done: {step.__name__.replace('_', ' ')}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
