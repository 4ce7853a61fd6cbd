"""Passwords of Airflow's connections, read in a process that has the metadata database (Airflow 3.3.2)."""

from coinrequest.errors import CoinrequestError


class CredentialMissing(CoinrequestError):
    """A connection does not exist, or has no password; the message names it."""


def password_of(connection_id: str) -> str:
    """Return the password of an Airflow connection.

    Raises:
        CredentialMissing: there is no such connection, or it has no password.
    """
    from airflow.models.connection import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        password = Connection.get_connection_from_secrets(connection_id).password
    except AirflowNotFoundException:
        raise CredentialMissing(f"there is no Airflow connection {connection_id!r}") from None
    if not password or not password.strip():
        raise CredentialMissing(f"the password of the Airflow connection {connection_id!r} is empty")
    return str(password).strip()
