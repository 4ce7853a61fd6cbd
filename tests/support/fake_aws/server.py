"""Starting it for tests."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.ports import free_ports
from support.waiting import eventually

ACCOUNT = "123456789012"
REGION = "eu-west-1"


@dataclass(frozen=True)
class FakeAws:
    """A running one.

    Attributes:
        url: where every service of it answers. An address, not a name: the provider then puts a bucket's name into the
            path, and not before `localhost`.
    """

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What AWS' clients need in order to ask this one, and no other."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # A call that is missing here is answered with 5xx, which clients try 25 times.
            "AWS_MAX_ATTEMPTS": "2",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


@contextlib.contextmanager
def fake_aws(machine_image: str) -> Iterator[FakeAws]:
    """Run one that is empty; each in a process of its own, because moto does not forget everything that it is told to.

    Args:
        machine_image: the name of the one machine image that Amazon publishes in it.
    """
    (port,) = free_ports(1)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    variables |= {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        # The policies that AWS itself publishes are attached by their ARN.
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        # Seconds until a certificate is issued.
        "MOTO_ACM_VALIDATION_WAIT": "1",
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "support.fake_aws", str(port), machine_image],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: _answers(process, port), timeout=60, what="the fake AWS does not answer")
            yield FakeAws(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(timeout=10)


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the fake AWS ended with {process.returncode}")
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
