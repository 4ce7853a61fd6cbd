"""What an environment and its account are called, as the files of variables say."""

import re
from dataclasses import dataclass
from pathlib import Path

from release.errors import Refused
from release.source import ROOT

REGION = "eu-west-1"
REPOSITORY = "coinrequest"
TERRAFORM = ROOT / "terraform"
# Of a file of variables only plain texts are needed here; Terraform reads all of it.
_TEXT = re.compile(r'^(?P<name>\w+)\s*=\s*"(?P<value>[^"]*)"\s*(?:#.*)?$', re.MULTILINE)


@dataclass(frozen=True)
class Account:
    """The AWS account, and where its files are.

    Args:
        id: 12 digits.
        zone_name: the public zone: `example.org`.
        folder: the root module of Terraform.
    """

    id: str
    zone_name: str
    folder: Path = TERRAFORM

    @property
    def registry(self) -> str:
        """The registry of images, without the repository's name."""
        return f"{self.id}.dkr.ecr.{REGION}.amazonaws.com"

    @property
    def state_bucket(self) -> str:
        """The bucket with the states, which terraform/bootstrap makes."""
        return f"coinrequest-terraform-state-{self.id}"


@dataclass(frozen=True)
class Installation:
    """One environment in the account."""

    environment: str
    account: Account

    @property
    def name(self) -> str:
        """What the names of its resources begin with."""
        return f"coinrequest-{self.environment}"

    @property
    def variable_files(self) -> tuple[str, ...]:
        """The files of variables, as seen from the root module."""
        return (f"environments/{self.environment}.tfvars", "environments/installation.tfvars")


def read_account(folder: Path = TERRAFORM) -> Account:
    """Read `installation.tfvars`.

    Raises:
        Refused: it is not there, or does not say what the account is.
    """
    path = folder / "environments" / "installation.tfvars"
    if not path.is_file():
        raise Refused(
            f"{path} is missing: it says which account this is. Copy the example, and edit it:\n"
            f"    cp {path.with_name('installation.example.tfvars')} {path}"
        )
    texts = {match["name"]: match["value"] for match in _TEXT.finditer(path.read_text(encoding="utf-8"))}
    missing = [name for name in ("account_id", "zone_name") if not texts.get(name)]
    if missing:
        raise Refused(f'{path} does not say {" and ".join(missing)}: one line each, NAME = "VALUE".')
    if not re.fullmatch(r"\d{12}", texts["account_id"]):
        raise Refused(f"account_id in {path} is {texts['account_id']!r}; it is the account's 12 digits.")
    return Account(texts["account_id"], texts["zone_name"], folder)


def read_installation(environment: str, folder: Path = TERRAFORM) -> Installation:
    """Read the files of an environment.

    Raises:
        Refused: there is no such environment, or its account is not known.
    """
    known = sorted(path.stem for path in (folder / "environments").glob("*.tfvars"))
    known = [name for name in known if not name.startswith("installation")]
    if environment not in known:
        raise Refused(f"There is no environment {environment!r}. There are: {', '.join(known)}.")
    return Installation(environment, read_account(folder))
