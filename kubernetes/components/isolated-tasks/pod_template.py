"""Make the template of a task's pod for Airflow's KubernetesExecutor: the agent's pod, which runs one task and ends.

`python pod_template.py FILE` reads the Deployment `agent` of its own namespace with the token of its pod.

What the executor asks of a template, and puts into it itself (name, labels, arguments):
https://airflow.apache.org/docs/apache-airflow-providers-cncf-kubernetes/stable/kubernetes_executor.html
"""

import json
import os
import ssl
import sys
import urllib.request
from pathlib import Path
from typing import Any

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# The executor finds its container by this name.
CONTAINER = "base"

# What makes sense for a process that goes on, and not for one that ends.
_OF_A_SERVICE = ("args", "startupProbe", "readinessProbe", "livenessProbe")


def pod_template(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the pod of a task.

    Args:
        deployment: the agent's, as Kubernetes' API has it.
    """
    template = deployment["spec"]["template"]
    (agent,) = template["spec"]["containers"]
    container = {key: value for key, value in agent.items() if key not in _OF_A_SERVICE} | {"name": CONTAINER}
    spec = {key: value for key, value in template["spec"].items() if key != "topologySpreadConstraints"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        # The labels are what the network policies go by; so a task reaches what an agent reaches.
        "metadata": {"name": "task", **{key: template["metadata"][key] for key in ("labels", "annotations")}},
        "spec": spec | {"containers": [container], "restartPolicy": "Never"},
    }


def read_agent() -> dict[str, Any]:
    """Return the Deployment `agent` from the cluster's API."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    if ":" in host:
        host = f"[{host}]"
    namespace = (_ACCOUNT / "namespace").read_text()
    request = urllib.request.Request(
        f"https://{host}:{port}/apis/apps/v1/namespaces/{namespace}/deployments/agent",
        headers={"Authorization": f"Bearer {(_ACCOUNT / 'token').read_text()}"},
    )
    context = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:  # noqa: S310 - https
        deployment: dict[str, Any] = json.load(answer)
    return deployment


if __name__ == "__main__":
    # JSON is YAML.
    Path(sys.argv[1]).write_text(json.dumps(pod_template(read_agent()), indent=2), encoding="utf-8")
