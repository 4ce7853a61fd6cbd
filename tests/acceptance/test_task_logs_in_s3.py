"""The logs of tasks in S3, as on AWS: written when a task ends, shown by the API, and no longer on the agent's disk."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.own_stack import OwnStack
from support.platform import Platform
from support.ports import free_ports
from support.waiting import eventually

from coinrequest.stack.options import Options

pytestmark = pytest.mark.aws

BUCKET = "task-logs"


@dataclass(frozen=True)
class Installation:
    """A stack whose agents write to S3, and the client of S3."""

    platform: Platform
    s3: Any


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A stand-in for S3; return its address."""
    for module in ("moto.server", "airflow.providers.amazon"):
        pytest.importorskip(module, reason=f"THERE IS NO {module}, so no log went to S3: make test installs it")
    (port,) = free_ports(1)
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _listens(port), timeout=60, what="S3 does not answer")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def installation(s3: str, own_stack: OwnStack) -> Iterator[Installation]:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=s3,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    # As terraform/roles.tf sets them.
    overrides = {
        "logging.remote_logging": "True",
        "logging.remote_base_log_folder": f"s3://{BUCKET}/tasks",
        "logging.remote_log_conn_id": "task_logs",
        "logging.delete_local_logs": "True",
    }
    # An instance has the rights of its role; here the connection brings keys and the address.
    connection = {
        "connection_id": "task_logs",
        "conn_type": "aws",
        "login": "testing",
        "password": "testing",
        "extra": json.dumps({"region_name": "eu-west-1", "endpoint_url": s3}),
    }
    with own_stack(Options(overrides=overrides)) as platform:
        answer = platform.client("admin").post("/api/v2/connections", json=connection)
        assert answer.status_code == 201, answer.text
        yield Installation(platform, client)


def test_a_log_is_in_s3_alone_and_is_shown(installation: Installation) -> None:
    platform = installation.platform
    job = platform.run("integer", {"value": 0})
    folder = platform.stack.layout.root
    stored = eventually(
        lambda: installation.s3.list_objects_v2(Bucket=BUCKET, Prefix="tasks/").get("Contents"),
        timeout=30,
        what="no log in S3",
    )
    assert [entry["Key"] for entry in stored if job["id"] in entry["Key"]], stored
    shown = platform.op.get(f"/jobs/v1/jobs/{job['id']}/log")
    assert shown.status_code == 200
    assert "job complete after 0 s" in shown.text
    left = [path for path in folder.rglob("*.log") if job["id"] in str(path)]
    assert left == [], f"the agent kept {left}"
