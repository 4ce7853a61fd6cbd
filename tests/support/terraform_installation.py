"""Production, built for the tests on an AWS that stands on loopback."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.fake_aws.inventory import inventory
from support.fake_aws.server import FakeAws
from support.terraform import Terraform, arguments, copy_to
from support.terraform_plans import Plan


@dataclass(frozen=True)
class Installation:
    """What was built, and what was seen of it.

    Attributes:
        before: everything that was in the account before it.
        log: what Terraform said while it built it.
        built: what Terraform knows of it.
        redis: Redis, as AWS describes it.
        second_plan: what Terraform would change right after.
        states: every version of the state in the bucket.
        outputs: as JSON.
        secrets: each secret by its name.
        seconds: how long each step took.
    """

    aws: FakeAws
    terraform: Terraform
    before: set[str]
    log: str
    built: dict[str, Any]
    redis: list[dict[str, Any]]
    second_plan: Plan
    states: tuple[str, ...]
    outputs: str
    secrets: dict[str, str]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Removal:
    """How it was taken down: what taking off the protection changed, and what is in the account after it."""

    unprotecting: Plan
    after: set[str]
    seconds: dict[str, float]


def prepare(aws: FakeAws, folder: Path) -> Path:
    """Make what an account has once (terraform/bootstrap).

    Args:
        aws: where.
        folder: an empty one.

    Returns:
        A copy of `terraform/` with the address of the backend.
    """
    root = copy_to(folder)
    bootstrap = Terraform(root / "bootstrap", aws.environment)
    bootstrap.init()
    words = ("-var-file=../environments/installation.example.tfvars", "-var=github_repository=example/coinrequest")
    bootstrap.must("apply", "-auto-approve", *words)
    (root / "backend.hcl").write_text(bootstrap.must("output", "-raw", "backend"))
    return root


def build(aws: FakeAws, folder: Path) -> Installation:
    """Build production in an account that has what every account has once.

    Args:
        aws: where.
        folder: a copy of `terraform/` with the address of the backend.
    """
    before = inventory(aws)
    terraform = Terraform(folder, aws.environment)
    terraform.init("-backend-config=backend.hcl", "-backend-config=key=production.tfstate")
    words = arguments("production")
    seconds: dict[str, float] = {}
    with _measured(seconds, "apply"):
        log = terraform.must("apply", "-auto-approve", "-parallelism=30", *words)
    with _measured(seconds, "second plan"):
        second_plan = plan(terraform, *words)
    return Installation(
        aws,
        terraform,
        before,
        log,
        terraform.json("show"),
        aws.client("elasticache").describe_replication_groups()["ReplicationGroups"],
        second_plan,
        tuple(_states(aws)),
        terraform.must("output", "-json"),
        _secrets(aws),
        seconds,
    )


def remove(installation: Installation) -> Removal:
    """Take the protection off, with a new image at the same time, and take everything down."""
    terraform = installation.terraform
    words = arguments("production", protected="false", image_tag="0.2.0-1234567")
    seconds: dict[str, float] = {}
    with _measured(seconds, "protection off, new image"):
        unprotecting = plan(terraform, *words)
        terraform.must("apply", "-parallelism=30", "a.tfplan")
    with _measured(seconds, "destroy"):
        terraform.must("destroy", "-auto-approve", "-parallelism=30", *words)
    return Removal(unprotecting, inventory(installation.aws), seconds)


def plan(terraform: Terraform, *words: str) -> Plan:
    """Plan into `a.tfplan`, and return what is in it."""
    done = terraform.run("plan", "-detailed-exitcode", "-out=a.tfplan", "-parallelism=30", *words)
    # 2: there are changes.
    assert done.returncode in (0, 2), done.stdout
    found: Plan = terraform.json("show", "a.tfplan")
    return found


@contextlib.contextmanager
def _measured(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[step] = time.monotonic() - start


def _states(aws: FakeAws) -> Iterator[str]:
    """Yield every version of every state in the bucket."""
    s3 = aws.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        if "terraform-state" in bucket["Name"]:
            for one in s3.list_object_versions(Bucket=bucket["Name"]).get("Versions", []):
                answer = s3.get_object(Bucket=bucket["Name"], Key=one["Key"], VersionId=one["VersionId"])
                yield answer["Body"].read().decode()


def _secrets(aws: FakeAws) -> dict[str, str]:
    """Return what Secrets Manager holds."""
    client = aws.client("secretsmanager")
    names = [one["Name"] for page in client.get_paginator("list_secrets").paginate() for one in page["SecretList"]]
    return {name: client.get_secret_value(SecretId=name)["SecretString"] for name in names}
