"""The users of an installation: one for each role. Their passwords come from the environment."""

import os

from coinrequest.airflow import users
from coinrequest.install.secrets import PASSWORD_VARIABLE, ROLES

_ROLE_WAIT = 120.0


def create_users() -> None:
    """Create the users that are missing, once the roles are there, and set the passwords of those that have another.

    Raises:
        TimeoutError: nobody has created the roles within two minutes.
    """
    users.wait_for_roles({role.capitalize() for role in ROLES}, _ROLE_WAIT)
    users.ensure_users({role: os.environ[PASSWORD_VARIABLE.format(role=role.upper())] for role in ROLES})
