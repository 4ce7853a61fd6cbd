"""What has to be there before anything is done, and what a person reads when it is not."""

from pathlib import Path

import pytest
from support.fake_terraform import ACCOUNT, REGISTRY, FakeTerraform

from aws import account as accounts
from aws import cli
from aws.installation import Account, read_account, read_installation
from release.errors import Refused


def test_the_names_of_an_installation(folder: Path) -> None:
    found = read_installation("production", folder)
    assert found.name == "coinrequest-production"
    assert found.account == Account(ACCOUNT, "example.org", folder)
    assert found.account.registry == REGISTRY
    assert found.variable_files == ("environments/production.tfvars", "environments/installation.tfvars")


def test_an_environment_that_is_none(folder: Path) -> None:
    with pytest.raises(Refused, match=r"no environment 'installation'. There are: development, production\."):
        read_installation("installation", folder)


def test_a_missing_file_says_what_to_copy(folder: Path) -> None:
    (folder / "environments" / "installation.tfvars").unlink()
    with pytest.raises(Refused, match=r"cp .*/installation\.example\.tfvars .*/installation\.tfvars"):
        read_account(folder)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "account_id and zone_name"),
        ("account_id = ", "cannot be read"),
        ('account_id = "12"\nzone_name = "example.org"', "the account's 12 digits"),
    ],
)
def test_a_file_that_does_not_say_the_account(folder: Path, text: str, complaint: str) -> None:
    (folder / "environments" / "installation.tfvars").write_text(text)
    with pytest.raises(Refused, match=complaint):
        read_account(folder)


def test_credentials_of_another_account_are_refused_before_terraform_starts(
    world: FakeTerraform, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "environments" / "installation.tfvars"
    path.write_text(path.read_text().replace(ACCOUNT, "999999999999"))
    assert cli.main(["plan", "production"], world.execute) == 2
    assert [line for line in world.lines if "version" not in line] == []
    assert f"REFUSED: These credentials belong to account {ACCOUNT}" in capsys.readouterr().out


def test_no_credentials(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import NoCredentialsError

    class Nobody:
        def get_caller_identity(self) -> None:
            raise NoCredentialsError

    monkeypatch.setattr(accounts, "client", lambda _service: Nobody())
    with pytest.raises(Refused, match=r"Unable to locate credentials.*aws sso login"):
        accounts.require(account)


@pytest.mark.parametrize(("version", "code"), [("1.10.5", 2), ("1.11.0", 0), ("1.14.0-beta1", 0)])
def test_the_version_of_terraform(world: FakeTerraform, version: str, code: int) -> None:
    world.version = version
    assert cli.main(["plan", "production"], world.execute) == code


def test_terraform_that_is_not_there(world: FakeTerraform, capsys: pytest.CaptureFixture[str]) -> None:
    world.failing = {"terraform version"}
    assert cli.main(["plan", "production"], world.execute) == 2
    assert "Install Terraform 1.11 or newer" in capsys.readouterr().out


def test_an_account_without_a_bucket_of_states(
    world: FakeTerraform, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "backend.hcl").unlink()
    assert cli.main(["apply", "production", "--yes"], world.execute) == 2
    assert "Once: python -m aws bootstrap" in capsys.readouterr().out
    assert world.ran("init") == []


def test_a_backend_of_another_account(world: FakeTerraform, folder: Path) -> None:
    (folder / "backend.hcl").write_text('bucket = "coinrequest-terraform-state-999999999999"\n')
    assert cli.main(["plan", "production"], world.execute) == 2
