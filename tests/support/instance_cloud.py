"""The outermost edge of an instance: its metadata service, the auto scaling API, and Secrets Manager.

Secrets Manager is moto's. The other two are so small that they stand here, where a test can change the state that an
instance sees, and read what it reported.
"""

import json
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from support.waiting import eventually

_TOKEN = "a-token-of-the-metadata-service"
_KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass(frozen=True)
class Call:
    """One call of the auto scaling API."""

    action: str
    instance: str
    hook: str
    result: str


class Cloud:
    """Serves any number of instances.

    Args:
        address: where it listens; containers have to reach it.
        port: where Secrets Manager listens on that address.
        certificates: the PEM file that it serves as RDS's bundle.
    """

    def __init__(self, address: str, port: int, certificates: Path) -> None:
        pytest.importorskip("moto", reason="MOTO IS NOT INSTALLED: no instance was started")
        self.calls: list[Call] = []
        self.target_states: dict[str, str] = {}
        self.metadata_requests = 0
        self._certificates = certificates
        self._server = ThreadingHTTPServer((address, 0), self._handler())
        self._url = f"http://{address}:{self._server.server_port}"
        self._secrets_url = f"http://{address}:{port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._moto = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", address, "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Stop serving."""
        self._session.close()
        self._server.shutdown()
        self._server.server_close()
        self._moto.terminate()
        self._moto.wait(timeout=20)

    def environment(self, instance: str) -> dict[str, str]:
        """Return what leads an instance's programs here, by the variables that they already have."""
        return {
            **_KEYS,
            "METADATA": f"{self._url}/{instance}",
            "DATABASE_CA_URL": f"{self._url}/bundle.pem",
            "AWS_ENDPOINT_URL_AUTO_SCALING": self._url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self._secrets_url,
        }

    def create_secrets(self, values: Mapping[str, str]) -> dict[str, str]:
        """Store secrets; return their addresses by name."""
        eventually(self._is_up, timeout=60, what="moto's server")
        return {name: self._create_secret(name, value) for name, value in values.items()}

    def called(self, action: str, instance: str) -> list[Call]:
        """Return the calls of one instance so far."""
        return [call for call in self.calls if call.action == action and call.instance == instance]

    def _is_up(self) -> bool:
        try:
            return self._session.get(f"{self._secrets_url}/moto-api/", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def _create_secret(self, name: str, value: str) -> str:
        # The signature names service and region; moto believes any.
        scope = "testing/20260101/eu-west-1/secretsmanager/aws4_request"
        answer = self._session.post(
            self._secrets_url,
            data=json.dumps(
                {"Name": f"coinrequest-test/{name}", "SecretString": value, "ClientRequestToken": "t" * 32}
            ),
            headers={
                "X-Amz-Target": "secretsmanager.CreateSecret",
                "Content-Type": "application/x-amz-json-1.1",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
            },
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["ARN"])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                cloud._answer(self, 200 if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else 400, _TOKEN)

            def do_GET(self) -> None:
                if self.path == "/bundle.pem":
                    cloud._answer(self, 200, cloud._certificates.read_text())
                    return
                cloud.metadata_requests += 1
                if self.headers["X-aws-ec2-metadata-token"] != _TOKEN:
                    cloud._answer(self, 401, "")
                    return
                _, instance, _, _, what = self.path.split("/", 4)
                known = {
                    "instance-id": instance,
                    "autoscaling/target-lifecycle-state": cloud.target_states.get(instance, "InService"),
                }
                cloud._answer(self, 200 if what in known else 404, known.get(what, ""))

            def do_POST(self) -> None:
                fields = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                cloud.calls.append(
                    Call(
                        fields["Action"],
                        fields["InstanceId"],
                        fields.get("LifecycleHookName", ""),
                        fields.get("LifecycleActionResult", fields.get("HealthStatus", "")),
                    )
                )
                name = fields["Action"]
                cloud._answer(
                    self,
                    200,
                    f'<{name}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><{name}Result/>'
                    f"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{name}Response>",
                )

            def log_message(self, format: str, *values: Any) -> None:
                """A test shows what it needs."""

        return Handler

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, status: int, text: str) -> None:
        body = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
