"""The edge to AWS: clients, and whose credentials these are."""

from typing import Any

from aws.installation import REGION, Account
from release.errors import Refused

_SIGN_IN = "Sign in first (aws sso login --profile NAME, then export AWS_PROFILE=NAME), and try again."


def client(service: str) -> Any:
    """Return a client of boto3 for a service in the one region.

    Raises:
        Refused: boto3 is not installed.
    """
    try:
        import boto3
    except ImportError:
        raise Refused("boto3 is not installed: run this by `make`, which installs it, or by .venv/bin/python") from None
    return boto3.client(service, region_name=REGION)


def errors() -> tuple[type[Exception], ...]:
    """Return what boto3 raises when AWS refuses something or is not reached."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return ()
    return (BotoCoreError, ClientError)


def require(account: Account) -> None:
    """See that the credentials belong to the account.

    Raises:
        Refused: there are none, they are not accepted, or they belong to another account.
    """
    sts = client("sts")
    try:
        found = sts.get_caller_identity()["Account"]
    except errors() as error:
        raise Refused(f"AWS does not know who this is: {error}. {_SIGN_IN}") from error
    if found != account.id:
        raise Refused(f"These credentials belong to account {found}; installation.tfvars says {account.id}. {_SIGN_IN}")
