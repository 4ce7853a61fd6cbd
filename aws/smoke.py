"""The smoke test: a job through the public address, as a user would submit it."""

import json
from collections.abc import Mapping
from typing import Any

from aws.account import client
from release.errors import Failed

# May register job types, and is not an administrator.
_USER = "op"


def run(outputs: Mapping[str, Any]) -> None:
    """Register a job type, run a job of it, check its result, delete the type.

    Args:
        outputs: of Terraform.

    Raises:
        Failed: a step did not succeed.
    """
    from coinrequest import demo

    secret = client("secretsmanager").get_secret_value(SecretId=outputs["sign_in_secret"])["SecretString"]
    environment = {
        "COINREQUEST_URL": outputs["url"],
        "COINREQUEST_USERNAME": _USER,
        "COINREQUEST_PASSWORD": json.loads(secret)[_USER],
        "COINREQUEST_DEMO_KEEP": "no",
    }
    try:
        demo.run(environment)
    except demo.DemoFailed as error:
        raise Failed(f"the smoke test failed: {error}") from error
