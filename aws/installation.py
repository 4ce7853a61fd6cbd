"""The names of an environment and its account, from Terraform's files of variables."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.errors import Refused
from release.source import ROOT

REGION = "eu-west-1"
REPOSITORY = "coinrequest"
TERRAFORM = ROOT / "terraform"


@dataclass(frozen=True)
class Account:
    """The AWS account.

    Args:
        id: 12 digits.
        zone_name: the public zone: `example.org`.
        folder: the root module of Terraform, with its files.
    """

    id: str
    zone_name: str
    folder: Path = TERRAFORM

    @property
    def registry(self) -> str:
        """The host of the registry."""
        return f"{self.id}.dkr.ecr.{REGION}.amazonaws.com"

    @property
    def state_bucket(self) -> str:
        """The bucket for Terraform's states, which terraform/bootstrap creates."""
        return f"coinrequest-terraform-state-{self.id}"


@dataclass(frozen=True)
class Installation:
    """One environment in the account."""

    environment: str
    account: Account

    @property
    def name(self) -> str:
        """The prefix of the names of its resources."""
        return f"coinrequest-{self.environment}"

    @property
    def variable_files(self) -> tuple[str, ...]:
        """The files of variables, relative to the root module."""
        return (f"environments/{self.environment}.tfvars", "environments/installation.tfvars")


def read_account(folder: Path = TERRAFORM) -> Account:
    """Read `installation.tfvars`.

    Raises:
        Refused: it is missing, cannot be read, or does not name the account.
    """
    path = folder / "environments" / "installation.tfvars"
    if not path.is_file():
        raise Refused(
            f"{path} is missing: it names the account. Copy the example, and edit it:\n"
            f"    cp {path.with_name('installation.example.tfvars')} {path}"
        )
    values = read_variables(path)
    missing = [name for name in ("account_id", "zone_name") if not values.get(name)]
    if missing:
        raise Refused(f'{path} does not set {" and ".join(missing)}: one line each, NAME = "VALUE".')
    if not re.fullmatch(r"\d{12}", str(values["account_id"])):
        raise Refused(f"account_id in {path} is {values['account_id']!r}; it has to be the account's 12 digits.")
    return Account(str(values["account_id"]), values["zone_name"], folder)


def read_variables(path: Path) -> dict[str, Any]:
    """Read a file of Terraform's variables.

    Raises:
        Refused: python-hcl2 is not installed, or it cannot read the file.
    """
    try:
        import hcl2
        from hcl2.utils import SerializationOptions
        from lark.exceptions import LarkError
    except ImportError:
        raise Refused("python-hcl2 is not installed: run this by `make`, or by .venv/bin/python") from None
    options = SerializationOptions(with_comments=False, strip_string_quotes=True)
    try:
        values: dict[str, Any] = hcl2.loads(path.read_text(encoding="utf-8"), serialization_options=options)
    except LarkError as error:
        raise Refused(f"{path} cannot be read: {error}") from error
    return values


def read_installation(environment: str, folder: Path = TERRAFORM) -> Installation:
    """Read the files of an environment.

    Raises:
        Refused: there is no such environment, or its account is unknown.
    """
    known = sorted(path.stem for path in (folder / "environments").glob("*.tfvars"))
    known = [name for name in known if not name.startswith("installation")]
    if environment not in known:
        raise Refused(f"There is no environment {environment!r}. There are: {', '.join(known)}.")
    return Installation(environment, read_account(folder))
