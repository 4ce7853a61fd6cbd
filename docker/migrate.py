"""Prepare the metadata database of an installation in containers: tables, built-in job types, roles and users.

One process does it all, because importing Airflow is most of the work. Repeating it changes nothing.
"""

import sys
from collections.abc import Callable, Mapping

from coinrequest.airflow.metadata_database import migrate
from coinrequest.airflow.users import sync_roles
from coinrequest.install.prepare import register_built_in_types
from coinrequest.install.users import create_users

_STEPS: Mapping[str, Callable[[], None]] = {
    "migrate": migrate,
    "seed": register_built_in_types,
    # Otherwise the web server creates the roles, but it starts later.
    "create roles": sync_roles,
    "create users": create_users,
}


def main() -> int:
    """Prepare the database; return the exit code."""
    for name, step in _STEPS.items():
        step()
        sys.stdout.write(f"coinrequest: done: {name}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
