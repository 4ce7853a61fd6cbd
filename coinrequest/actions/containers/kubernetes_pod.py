"""The pod of one `container.run`: the restricted Pod Security Standard, and limits.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from typing import Any

from coinrequest.actions.containers.runtime import TMP_BYTES, ContainerSpec, labels

CONTAINER = "task"


def pod_manifest(name: str, order: ContainerSpec) -> dict[str, Any]:
    """Return the pod for an order.

    Everything that a definition does not decide is fixed: no root, no capability, no service account's token, no
    volume but an empty `/tmp` in memory, a file system that is read-only, and an end that the cluster itself enforces.
    """
    resources = {"memory": str(order.memory_bytes), "cpu": f"{max(1, round(order.cpus * 1000))}m"}
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": order.image,
        "env": [{"name": key, "value": value} for key, value in order.environment.items()],
        "resources": {
            "requests": {**resources, "ephemeral-storage": str(TMP_BYTES)},
            "limits": {**resources, "ephemeral-storage": str(TMP_BYTES)},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the container
    }
    if order.command:
        # What Docker calls the command: an entry point of the image stays.
        container["args"] = [_literal(part) for part in order.command]
    if order.working_directory:
        container["workingDir"] = order.working_directory
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": labels(order.timeout, order.job) | {"coinrequest.network": _network(order)},
        },
        "spec": {
            "activeDeadlineSeconds": max(1, round(order.timeout)),
            "automountServiceAccountToken": False,
            "containers": [container],
            "enableServiceLinks": False,
            "hostIPC": False,
            "hostNetwork": False,
            "hostPID": False,
            "restartPolicy": "Never",
            "securityContext": {
                "fsGroup": order.user,
                "runAsGroup": order.user,
                "runAsNonRoot": True,
                "runAsUser": order.user,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": str(TMP_BYTES)}}],
        },
    }


def _network(order: ContainerSpec) -> str:
    """Return the label by which a NetworkPolicy of the cluster tells the pods that may use the network."""
    return "none" if order.network is None else "allowed"


def _literal(part: str) -> str:
    """Keep `$(NAME)` as it is written, which Kubernetes would replace by a variable and Docker would not."""
    return part.replace("$", "$$") if "$(" in part else part
