"""The smoke test in a cluster: a Job that runs `demo`, and the network policies that let it reach the web server."""

from typing import Any

NAME = "smoke-test"
_COMPONENT = "app.kubernetes.io/component"
_LABELS = {_COMPONENT: NAME}
_WEB_SERVER = {_COMPONENT: "api-server"}
_PORTS = [{"protocol": "TCP", "port": 8080}]
_TIMEOUT = 300


def smoke_test(namespace: str, image: str) -> dict[str, Any]:
    """Return the objects as one List, which `kubectl` reads as JSON.

    The release never sees a password: the Job takes that of the user `op`, who may register job types, from the Secret
    of `migrate`, which creates the users.

    Args:
        namespace: where the platform runs.
        image: the one that is tested.
    """
    metadata = {"name": NAME, "namespace": namespace, "labels": _LABELS}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": _TIMEOUT,
            "ttlSecondsAfterFinished": 3600,
            "template": {"metadata": {"labels": _LABELS}, "spec": _pod(image)},
        },
    }
    egress = {"podSelector": {"matchLabels": _LABELS}, "policyTypes": ["Egress"], "egress": [_peer("to", _WEB_SERVER)]}
    ingress = {
        "podSelector": {"matchLabels": _WEB_SERVER},
        "policyTypes": ["Ingress"],
        "ingress": [_peer("from", _LABELS)],
    }
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            _policy(metadata, egress),
            _policy({**metadata, "name": f"api-server-from-{NAME}"}, ingress),
            job,
        ],
    }


def _peer(side: str, labels: dict[str, str]) -> dict[str, Any]:
    return {side: [{"podSelector": {"matchLabels": labels}}], "ports": _PORTS}


def _policy(metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _pod(image: str) -> dict[str, Any]:
    """Return the pod. Like all pods of the platform it keeps to the restricted Pod Security Standard."""
    password = {"name": "coinrequest-migrate", "key": "COINREQUEST_STACK_PASSWORD_OP"}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 50000,
            "runAsGroup": 50000,
            "fsGroup": 50000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "demo",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": ["demo"],
                "env": [
                    {"name": "COINREQUEST_URL", "value": "http://api-server:8080"},
                    {"name": "COINREQUEST_DEMO_KEEP", "value": "no"},
                    {"name": "COINREQUEST_USERNAME", "value": "op"},
                    {"name": "COINREQUEST_PASSWORD", "valueFrom": {"secretKeyRef": password}},
                ],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "privileged": False,
                    "readOnlyRootFilesystem": True,
                },
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
                    "limits": {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "256Mi"},
                },
                "volumeMounts": [
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
                    {"name": "home", "mountPath": "/var/lib/coinrequest"},
                ],
            }
        ],
        "volumes": [{"name": name, "emptyDir": {"sizeLimit": "256Mi"}} for name in ("tmp", "home")],
    }
