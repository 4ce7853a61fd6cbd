"""Access to AWS: clients, their errors, and the account of the credentials."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws.installation import REGION, Account
from release.errors import Failed, Refused

_SIGN_IN = "Sign in first (aws sso login --profile NAME, then export AWS_PROFILE=NAME), and try again."


def client(service: str, region: str = REGION) -> Any:
    """Return a client of boto3.

    Raises:
        Refused: boto3 is not installed.
    """
    try:
        import boto3
    except ImportError:
        raise Refused(f"{sys.executable} has no boto3: run this by `make`, or by .venv/bin/python") from None
    return boto3.client(service, region_name=region)


@contextmanager
def explained_errors(advice: str = "") -> Iterator[None]:
    """Turn the errors of boto3 into `Failed`; their messages hold no values of a request.

    Args:
        advice: follows the message.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        # Then `client` refuses to make a client.
        yield
        return
    try:
        yield
    except ClientError as error:
        raise Failed(f"AWS refused: {error}{advice}") from error
    except BotoCoreError as error:
        raise Failed(f"The call to AWS failed: {error}{advice}") from error


def require(account: Account) -> None:
    """Check that the credentials belong to the account.

    Raises:
        Refused: there are none, AWS does not accept them, or they belong to another account.
    """
    try:
        with explained_errors():
            found = client("sts").get_caller_identity()["Account"]
    except Failed as error:
        raise Refused(f"There are no valid credentials. {error}. {_SIGN_IN}") from error
    if found != account.id:
        raise Refused(f"These credentials belong to account {found}; installation.tfvars says {account.id}. {_SIGN_IN}")
