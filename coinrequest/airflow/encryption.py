"""Encrypts the secrets of submitters with Airflow's own Fernet key (Airflow 3.3.2)."""


def encrypt(text: str) -> str:
    """Return the text encrypted under `[core] fernet_key`."""
    from airflow.models.crypto import get_fernet

    return get_fernet().encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """Return what `encrypt` made the text from.

    Raises:
        cryptography.fernet.InvalidToken: it was encrypted under a key that is not configured (any more).
    """
    from airflow.models.crypto import get_fernet

    return get_fernet().decrypt(text.encode()).decode()
