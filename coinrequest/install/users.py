"""Creates the users of an installation, one for each role, with passwords from the environment."""

import os

from coinrequest.airflow import users
from coinrequest.install.secrets import PASSWORD_VARIABLE, ROLES

_ROLE_WAIT = 120.0


def create_users() -> None:
    """Wait until the roles exist, create the users that are missing, and update passwords that have changed.

    Raises:
        TimeoutError: the roles do not exist after two minutes.
    """
    users.wait_for_roles({role.capitalize() for role in ROLES}, _ROLE_WAIT)
    users.ensure_users({role: os.environ[PASSWORD_VARIABLE.format(role=role.upper())] for role in ROLES})
