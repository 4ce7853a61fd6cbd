"""Write the Secrets of a development cluster, with new random values, to standard output.

It runs in the image, which has what it imports: `docker run --rm -i IMAGE python - < development_secrets.py`. It keeps
no copy of the values. Staging and production get their Secrets from elsewhere: docs/how-to/kubernetes.md.
"""

import json
import os
import secrets
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

NAMESPACE = "coinrequest"

_SERVERS = ("api-server", "scheduler", "dag-processor", "triggerer", "migrate")


def secret_values(folder: Path) -> dict[str, dict[str, str]]:
    """Return the values of each Secret by its name.

    Args:
        folder: the output of docker/write_secrets.py.
    """
    values = {process: _exports(folder / "servers" / f"{process}.env") for process in _SERVERS}
    values["api-server"]["COINREQUEST_METRICS_TOKEN"] = secrets.token_urlsafe(32)
    gateway = _exports(folder / "gateway" / "gateway.env")
    channel = gateway.pop("COINREQUEST_RABBITMQ_URL")
    gateway.pop("COINREQUEST_STACK_CHANNEL_URL")
    return {
        **values,
        "gateway": gateway | {"COINREQUEST_CHANNEL_URL": channel},
        "agent": _exports(folder / "agents" / "agent.env"),
        "postgres": _exports(folder / "postgres" / "postgres.env"),
        "redis": {"redis.conf": (folder / "redis" / "redis.conf").read_text()},
        "rabbitmq": _exports(folder / "rabbitmq" / "rabbitmq.env"),
        "sign-in": _exports(folder / "people" / "sign-in.env"),
    }


def manifests(values: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return the Secrets as one List, which `kubectl create -f -` reads."""
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"coinrequest-{name}", "namespace": NAMESPACE},
                "stringData": content,
            }
            for name, content in values.items()
        ],
    }


def _exports(path: Path) -> dict[str, str]:
    """Read a file of `export NAME='value'` lines."""
    words = (shlex.split(line)[1] for line in path.read_text().splitlines())
    return dict(word.split("=", 1) for word in words)


def main() -> None:
    """Write the Secrets."""
    sys.path.insert(0, "/app/docker")
    from write_secrets import write_all  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_all(folder, os.environ["COINREQUEST_BASE_URL"])
        json.dump(manifests(secret_values(folder)), sys.stdout)


if __name__ == "__main__":
    main()
