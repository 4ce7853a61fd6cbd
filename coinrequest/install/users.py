"""The users of the embedded stack: one for each role, created in one go.

`airflow users create` would import Airflow's web application once for each user. Passwords come from the environment.
"""

import os
import time

from coinrequest.install.secrets import PASSWORD_VARIABLE, ROLES

_ROLE_WAIT = 120.0


def create_users() -> None:
    """Create the users that are missing and set the passwords of those that have another one.

    The roles are made by the web server when it starts: this waits for them.

    Raises:
        TimeoutError: the web server made no roles.
    """
    from airflow.providers.fab.www.security_appless import ApplessAirflowSecurityManager
    from airflow.utils.session import create_session
    from werkzeug.security import check_password_hash, generate_password_hash

    _wait_for_roles()
    with create_session() as session:
        security = ApplessAirflowSecurityManager(session=session)
        for role in ROLES:
            password = os.environ[PASSWORD_VARIABLE.format(role=role.upper())]
            user = security.find_user(username=role)
            if user is None:
                security.add_user(
                    username=role,
                    first_name=role.capitalize(),
                    last_name="Embedded",
                    email=f"{role}@localhost.localdomain",
                    role=security.find_role(role.capitalize()),
                    hashed_password=generate_password_hash(password),
                )
            elif not check_password_hash(user.password or "", password):
                user.password = generate_password_hash(password)


def _wait_for_roles() -> None:
    from airflow.providers.fab.auth_manager.models import Role
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = {role.capitalize() for role in ROLES}
    deadline = time.monotonic() + _ROLE_WAIT
    while True:
        with create_session() as session:
            if wanted <= set(session.scalars(select(Role.name))):
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"The web server has not created the roles {', '.join(sorted(wanted))}.")
        time.sleep(0.3)
