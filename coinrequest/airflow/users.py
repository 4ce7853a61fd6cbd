"""Users and roles of Airflow's FAB auth manager (Airflow 3.3.2, FAB 3.10.2)."""

import time
from collections.abc import Collection, Mapping


def sync_roles() -> None:
    """Create the roles and give them their permissions, as `airflow sync-perm` does."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        builder.add_permissions(update_perms=True)
        builder.sm.sync_roles()


def ensure_users(passwords: Mapping[str, str]) -> None:
    """Create the users that are missing, and set the passwords of those that have another one.

    `airflow users create` would import Airflow's web application once for each user.

    Args:
        passwords: by the user's name, which is that of the user's role in lower case.
    """
    from airflow.providers.fab.www.security_appless import ApplessAirflowSecurityManager
    from airflow.utils.session import create_session
    from werkzeug.security import check_password_hash, generate_password_hash

    with create_session() as session:
        security = ApplessAirflowSecurityManager(session=session)
        for name, password in passwords.items():
            user = security.find_user(username=name)
            if user is None:
                security.add_user(
                    username=name,
                    first_name=name.capitalize(),
                    last_name="Embedded",
                    email=f"{name}@localhost.localdomain",
                    role=security.find_role(name.capitalize()),
                    hashed_password=generate_password_hash(password),
                )
            elif not check_password_hash(user.password or "", password):
                user.password = generate_password_hash(password)


def wait_for_roles(roles: Collection[str], seconds: float) -> None:
    """Wait until the web server, which creates the roles when it starts, has done so.

    Raises:
        TimeoutError: it has not, within so many seconds.
    """
    from airflow.providers.fab.auth_manager.models import Role
    from airflow.utils.session import create_session
    from sqlalchemy import select

    deadline = time.monotonic() + seconds
    while True:
        with create_session() as session:
            if set(roles) <= set(session.scalars(select(Role.name))):
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"The web server has not created the roles {', '.join(sorted(roles))}.")
        time.sleep(0.3)
