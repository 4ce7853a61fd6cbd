"""Creates what an account needs once: the bucket for states, the registry, the zone, the roles of workflows."""

import json
from pathlib import Path

from aws import terraform
from aws.account import client
from aws.installation import REGION, Account
from release.commands import Commands
from release.errors import Refused

_KEY = "bootstrap.tfstate"
_BACKEND = 'terraform {\n  backend "s3" {}\n}\n'
_KEY_ALIAS = "alias/coinrequest-terraform-state"


def run(commands: Commands, account: Account) -> None:
    """Apply terraform/bootstrap, and move its own state into the bucket that it creates. It may be repeated."""
    terraform.require(commands)
    folder = account.folder / "bootstrap"
    override = folder / "backend_override.tf"
    backend = ("-backend-config=../backend.hcl", f"-backend-config=key={_KEY}")
    in_bucket = _has_state(account)
    if in_bucket and not commands.dry_run:
        ensure_backend(account)
        override.write_text(_BACKEND, encoding="utf-8")
    elif not commands.dry_run:
        # From an earlier attempt, or from an account that is gone.
        override.unlink(missing_ok=True)
    with commands.output.step("create what the account needs once"):
        _terraform(commands, folder, "init", "-reconfigure", *(backend if in_bucket else ()))
        variables = ("-var-file=../environments/installation.tfvars",)
        _terraform(commands, folder, "apply", "-auto-approve", "-compact-warnings", *variables)
    if not in_bucket:
        with commands.output.step("move its state into the bucket"):
            if not commands.dry_run:
                text = commands.read("terraform", f"-chdir={folder}", "output", "-raw", "backend")
                (account.folder / "backend.hcl").write_text(text, encoding="utf-8")
                override.write_text(_BACKEND, encoding="utf-8")
            _terraform(commands, folder, "init", "-migrate-state", "-force-copy", *backend)
            if not commands.dry_run:
                for path in folder.glob("terraform.tfstate*"):
                    path.unlink()
    outputs = terraform.parse_outputs(commands.read("terraform", f"-chdir={folder}", "output", "-json"))
    if servers := outputs.get("name_servers"):
        line = commands.output.line
        line(f"Delegate {account.zone_name} to these name servers, where the domain is registered:")
        for server in servers:
            line(f"    {server}")
        line(f"AWS issues certificates only after that. Check: dig +short NS {account.zone_name}")


def ensure_backend(account: Account) -> None:
    """Write `backend.hcl` if this clone lacks it.

    Raises:
        Refused: the account has no bucket for states yet, or the file names that of another account.
    """
    path = account.folder / "backend.hcl"
    if path.is_file():
        if account.state_bucket not in path.read_text(encoding="utf-8"):
            raise Refused(f"{path} names the bucket of another account than {account.id}. Remove it.")
        return
    from botocore.exceptions import ClientError

    try:
        client("s3").head_bucket(Bucket=account.state_bucket)
        key = client("kms").describe_key(KeyId=_KEY_ALIAS)["KeyMetadata"]["Arn"]
    except ClientError as error:
        raise Refused(f"Account {account.id} has no bucket for states yet. Once: python -m aws bootstrap") from error
    values = {"bucket": account.state_bucket, "region": REGION, "encrypt": True, "kms_key_id": key}
    values["use_lockfile"] = True
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    path.write_text("".join(lines), encoding="utf-8")


def _has_state(account: Account) -> bool:
    from botocore.exceptions import ClientError

    try:
        client("s3").head_object(Bucket=account.state_bucket, Key=_KEY)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket", "NoSuchKey"):
            return False
        raise Refused(f"The bucket {account.state_bucket} cannot be read: {error}") from error
    return True


def _terraform(commands: Commands, folder: Path, command: str, *options: str) -> None:
    argv = ("terraform", f"-chdir={folder}", command, "-no-color", "-input=false", *options)
    commands.run(*argv, environment={"TF_IN_AUTOMATION": "1"})
