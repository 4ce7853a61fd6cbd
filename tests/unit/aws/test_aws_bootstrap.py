"""What an account needs once: made, its state moved into the bucket that was made, and made again without harm."""

from pathlib import Path

import pytest
from support.fake_terraform import ACCOUNT, FakeTerraform

from aws import cli
from aws.account import client

BUCKET = f"coinrequest-terraform-state-{ACCOUNT}"
BACKEND = "-backend-config=../backend.hcl -backend-config=key=bootstrap.tfstate"
APPLY = "apply -input=false -auto-approve -compact-warnings -var-file=../environments/installation.tfvars"


def steps(world: FakeTerraform) -> list[str]:
    words = "terraform HERE/bootstrap "
    return [line.removeprefix(words) for line in world.lines if line.startswith(words)]


@pytest.fixture
def bucket() -> None:
    """What an earlier bootstrap left in the account."""
    client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client("s3").put_object(Bucket=BUCKET, Key="bootstrap.tfstate", Body=b"{}")
    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    client("kms").create_alias(AliasName="alias/coinrequest-terraform-state", TargetKeyId=key)


def test_an_empty_account(world: FakeTerraform, folder: Path) -> None:
    (folder / "backend.hcl").unlink()
    (folder / "bootstrap" / "terraform.tfstate").write_text("{}")
    (folder / "bootstrap" / "terraform.tfstate.backup").write_text("{}")
    assert cli.main(["bootstrap"], world.execute) == 0
    assert steps(world) == [
        "init -input=false -reconfigure",
        APPLY,
        "output -raw backend",
        f"init -input=false -migrate-state -force-copy {BACKEND}",
        "output -json",
    ]
    assert BUCKET in (folder / "backend.hcl").read_text()
    assert 'backend "s3"' in (folder / "bootstrap" / "backend_override.tf").read_text()
    assert list((folder / "bootstrap").glob("terraform.tfstate*")) == []


def test_a_move_that_fails_keeps_the_state_here(world: FakeTerraform, folder: Path) -> None:
    (folder / "bootstrap" / "terraform.tfstate").write_text("{}")
    world.failing = {"-migrate-state"}
    assert cli.main(["bootstrap"], world.execute) == 1
    assert (folder / "bootstrap" / "terraform.tfstate").exists()


def test_again_from_a_clone_that_has_nothing(world: FakeTerraform, folder: Path, bucket: None) -> None:
    (folder / "backend.hcl").unlink()
    assert cli.main(["bootstrap"], world.execute) == 0
    assert steps(world) == [f"init -input=false -reconfigure {BACKEND}", APPLY, "output -json"]
    assert 'backend "s3"' in (folder / "bootstrap" / "backend_override.tf").read_text()


def test_a_clone_that_has_no_backend_finds_it(world: FakeTerraform, folder: Path, bucket: None) -> None:
    (folder / "backend.hcl").unlink()
    assert cli.main(["status", "production"], world.execute) == 0
    text = (folder / "backend.hcl").read_text()
    assert f'bucket = "{BUCKET}"\nregion = "eu-west-1"\nencrypt = true\nkms_key_id = "arn:aws:kms:' in text
    assert text.endswith("use_lockfile = true\n")


def test_the_name_servers_are_told(world: FakeTerraform, bucket: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("release.output.Output.line", lambda _self, text="": said.append(text))
    monkeypatch.setattr(
        "aws.terraform.parse_outputs", lambda _text: {"name_servers": ["ns-1.example.net", "ns-2.example.net"]}
    )
    assert cli.main(["bootstrap"], world.execute) == 0
    assert "Delegate example.org to these name servers" in "\n".join(said)
    assert "    ns-2.example.net" in said


def test_a_dry_run_makes_nothing(world: FakeTerraform, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path for path in folder.rglob("*"))
    assert cli.main(["bootstrap", "--dry-run"], world.execute) == 0
    assert [line for line in steps(world) if not line.startswith("output ")] == []
    assert sorted(path for path in folder.rglob("*")) == before
    assert "-migrate-state" in capsys.readouterr().out
