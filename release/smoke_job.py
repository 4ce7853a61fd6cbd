"""The smoke test in a cluster: a Job that runs `demo` beside the web server, and the rules that let it reach that."""

from typing import Any

NAME = "smoke-test"
_COMPONENT = "app.kubernetes.io/component"
_PORTS = [{"protocol": "TCP", "port": 8080}]
_SECONDS = 300


def smoke_test(namespace: str, image: str) -> dict[str, Any]:
    """Return the objects as one List, which `kubectl` reads as JSON.

    The password never passes through here: the Job takes that of the user `op`, who may register job types, from the
    Secret of `migrate`, which creates the users.

    Args:
        namespace: where the platform runs.
        image: the one that is tested.
    """
    metadata = {"name": NAME, "namespace": namespace, "labels": _labels()}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": _SECONDS,
            "ttlSecondsAfterFinished": 3600,
            "template": {"metadata": {"labels": _labels()}, "spec": _pod(image)},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            _policy(metadata, {_COMPONENT: NAME}, "Egress", {_COMPONENT: "api-server"}),
            _policy({**metadata, "name": f"api-server-from-{NAME}"}, {_COMPONENT: "api-server"}, "Ingress", _labels()),
            job,
        ],
    }


def _labels() -> dict[str, str]:
    return {_COMPONENT: NAME}


def _policy(metadata: dict[str, Any], of: dict[str, str], direction: str, peer: dict[str, str]) -> dict[str, Any]:
    side = {"Egress": "to", "Ingress": "from"}[direction]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": of},
            "policyTypes": [direction],
            direction.lower(): [{side: [{"podSelector": {"matchLabels": peer}}], "ports": _PORTS}],
        },
    }


def _pod(image: str) -> dict[str, Any]:
    """Return the pod: the restricted Pod Security Standard, as all pods of the platform have it."""
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
