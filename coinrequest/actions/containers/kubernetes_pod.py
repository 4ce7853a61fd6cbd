"""The manifest of a pod for `container.run`: the restricted Pod Security Standard, and limits.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from typing import Any

from coinrequest.actions.containers.runtime import TMP_BYTES, ContainerSpec, labels

CONTAINER = "task"


def pod_manifest(name: str, spec: ContainerSpec) -> dict[str, Any]:
    """Return the manifest of a pod.

    A definition cannot change the restrictions: no root, no capabilities, no service account token, no volume except an
    empty `/tmp` in memory, a read-only file system, and a deadline that the cluster enforces.
    """
    resources = {"memory": str(spec.memory_bytes), "cpu": f"{max(1, round(spec.cpus * 1000))}m"}
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": spec.image,
        "env": [{"name": key, "value": value} for key, value in spec.environment.items()],
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
    if spec.command:
        # The args of Kubernetes are the command of Docker: the entry point of the image is kept.
        container["args"] = [_literal(part) for part in spec.command]
    if spec.working_directory:
        container["workingDir"] = spec.working_directory
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": labels(spec.timeout, spec.job) | {"coinrequest.network": _network(spec)},
        },
        "spec": {
            "activeDeadlineSeconds": max(1, round(spec.timeout)),
            "automountServiceAccountToken": False,
            "containers": [container],
            "enableServiceLinks": False,
            "hostIPC": False,
            "hostNetwork": False,
            "hostPID": False,
            "restartPolicy": "Never",
            "securityContext": {
                "fsGroup": spec.user,
                "runAsGroup": spec.user,
                "runAsNonRoot": True,
                "runAsUser": spec.user,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": str(TMP_BYTES)}}],
        },
    }


def _network(spec: ContainerSpec) -> str:
    """Return the label with which a NetworkPolicy selects the pods that may use the network."""
    return "none" if spec.network is None else "allowed"


def _literal(part: str) -> str:
    """Escape `$(NAME)`, which Kubernetes would replace by a variable, unlike Docker."""
    return part.replace("$", "$$") if "$(" in part else part
