"""An account that exists in this process only, and a folder with its files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_terraform import ACCOUNT, FakeTerraform

from aws import cli
from aws.installation import Account, Installation, read_account, read_installation


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto answers boto3 within this process; nothing reaches the network."""
    from moto import mock_aws

    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "IMAGE_TAG"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A root module, as far as the program looks into it."""
    environments = tmp_path / "environments"
    environments.mkdir()
    (tmp_path / "bootstrap").mkdir()
    (environments / "development.tfvars").write_text('environment = "development"\n')
    (environments / "production.tfvars").write_text('environment = "production"\n')
    (environments / "installation.example.tfvars").write_text("")
    (environments / "installation.tfvars").write_text(
        f'# this one\naccount_id  = "{ACCOUNT}" # ours\nzone_name   = "example.org"\nalarm_email = "ops@example.org"\n'
    )
    (tmp_path / "backend.hcl").write_text(f'bucket = "coinrequest-terraform-state-{ACCOUNT}"\n')
    return tmp_path


@pytest.fixture
def account(folder: Path) -> Account:
    return read_account(folder)


@pytest.fixture
def production(folder: Path) -> Installation:
    return read_installation("production", folder)


@pytest.fixture
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTerraform:
    """The programs, and the command line with the files of `folder`."""
    monkeypatch.setattr(cli, "read_account", lambda: read_account(folder))
    monkeypatch.setattr(cli, "read_installation", lambda environment: read_installation(environment, folder))
    return FakeTerraform(folder)
