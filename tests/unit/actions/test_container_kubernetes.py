"""`container.run` on Kubernetes: the pod, and the calls to an API server that answers as a cluster does."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.http_stub import Hit, HttpStub, Reply

from coinrequest.actions.containers.kubernetes_cluster import KubernetesRuntime
from coinrequest.actions.containers.kubernetes_pod import pod_manifest
from coinrequest.actions.containers.output import Output
from coinrequest.actions.containers.runtime import ContainerSpec, RuntimeUnavailable, Stopped, TimedOut
from coinrequest.stack.layout import project_root

ORDER = ContainerSpec(
    image="docker.io/library/busybox:1.36", command=("sh", "-c", "echo $(HOME)"), environment={"A": "1"}
)
PODS = "/api/v1/namespaces/jobs/pods"


def test_the_pod_is_restricted_and_every_field_is_known_to_the_api() -> None:
    pod = pod_manifest("coinrequest-1", ORDER)
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, control by control.
    assert not any(spec[name] for name in ("hostNetwork", "hostPID", "hostIPC"))
    assert [set(volume) for volume in spec["volumes"]] == [{"name", "emptyDir"}]
    assert container["securityContext"]["privileged"] is False
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65_534
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    # And more than it asks for.
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == 300
    assert container["resources"]["limits"] | {"ephemeral-storage": ""} == {
        "memory": "268435456",
        "cpu": "1000m",
        "ephemeral-storage": "",
    }
    # The entry point stays the image's, and no variable is put into the arguments.
    assert "command" not in container
    assert container["args"] == ["sh", "-c", "echo $$(HOME)"]
    assert pod["metadata"]["labels"]["coinrequest.network"] == "none"
    kubernetes = pytest.importorskip("kubernetes")
    assert list(_unknown(pod, "V1Pod", kubernetes.client)) == []


def _unknown(value: Any, kind: str, client: Any, path: str = "") -> Iterator[str]:
    """Yield every field that the API's own model does not have."""
    if kind.startswith("list["):
        for number, item in enumerate(value):
            yield from _unknown(item, kind[5:-1], client, f"{path}[{number}]")
    elif kind.startswith("dict"):
        if not all(isinstance(key, str) and isinstance(item, str) for key, item in value.items()):
            yield path
    elif (model := getattr(client, kind, None)) is not None:
        names = {name: field for field, name in model.attribute_map.items()}
        for key, item in value.items():
            if key not in names:
                yield f"{path}.{key}"
            else:
                yield from _unknown(item, model.openapi_types[names[key]], client, f"{path}.{key}")
        model(**{names[key]: item for key, item in value.items() if key in names})
    elif not isinstance(value, {"str": str, "int": int, "bool": bool}[kind]):
        yield f"{path} is no {kind}"


class Cluster:
    """An API server with one pod that goes through the given states, the last one for ever."""

    def __init__(self, *statuses: dict[str, Any], log: bytes = b"", others: list[dict[str, Any]] | None = None) -> None:
        self.statuses, self.log, self.others = list(statuses), log, others or []
        self.created: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.looked = threading.Event()
        self.refusal: Reply | None = None

    def answer(self, hit: Hit) -> Reply:
        path = hit.path.partition("?")[0]
        if self.refusal is not None:
            return self.refusal
        if hit.method == "POST" and path == PODS:
            self.created.append(json.loads(hit.body))
            return _json(201, self._pod({"phase": "Pending"}))
        if hit.method == "DELETE":
            self.deleted.append(path.rpartition("/")[2])
            return _json(200, self._pod({"phase": "Running"}))
        if path == PODS:
            assert "labelSelector=coinrequest.action%3Dcontainer.run" in hit.path
            return _json(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self.others})
        if path.endswith("/log"):
            if not self.log:
                return _json(400, {"message": "container is waiting to start"})
            return Reply(200, self.log, {"Content-Type": "text/plain"})
        self.looked.set()
        return _json(200, self._pod(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]))

    def _pod(self, status: dict[str, Any]) -> dict[str, Any]:
        return {**self.created[-1], "status": status} if self.created else {"kind": "Pod", "status": status}


def _json(status: int, document: dict[str, Any]) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _status(phase: str, **state: Any) -> dict[str, Any]:
    container = {"name": "task", "image": "a", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    return {"phase": phase, "containerStatuses": [container]}


def _ended(exit_code: int, reason: str = "Completed") -> dict[str, Any]:
    phase = "Failed" if exit_code else "Succeeded"
    return _status(phase, terminated={"exitCode": exit_code, "reason": reason})


@pytest.fixture
def runtime(http_stub: HttpStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubernetesRuntime:
    pytest.importorskip("kubernetes")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "stub",
        "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "agent"}}],
        "clusters": [{"name": "stub", "cluster": {"server": http_stub.url}}],
        "users": [{"name": "agent", "user": {"token": "the-token"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return KubernetesRuntime("jobs", poll_seconds=0.01)


def test_a_pod_is_created_watched_read_and_deleted(runtime: KubernetesRuntime, http_stub: HttpStub) -> None:
    running = _status("Running", running={"startedAt": "2026-11-22T10:00:00Z"})
    cluster = Cluster({"phase": "Pending"}, running, _ended(0), log=b'line\n{"a": 1}\n')
    http_stub.answer = cluster.answer
    output = Output()
    elapsed: list[float] = []
    outcome = runtime.run(ORDER, output, elapsed.append)
    assert (outcome.exit_code, outcome.out_of_memory) == (0, False)
    assert (output.text, output.document) == ('line\n{"a": 1}\n', {"a": 1})
    assert len(elapsed) == 2
    (created,) = cluster.created
    name = created["metadata"]["name"]
    assert created == pod_manifest(name, ORDER) | {"metadata": created["metadata"]}
    assert cluster.deleted == [name]
    assert {hit.headers["authorization"] for hit in http_stub.hits} == {"Bearer the-token"}


@pytest.mark.parametrize(("status", "memory"), [(_ended(3, "Error"), False), (_ended(137, "OOMKilled"), True)])
def test_the_failure_of_a_pod_is_reported(
    runtime: KubernetesRuntime, http_stub: HttpStub, status: dict[str, Any], memory: bool
) -> None:
    cluster = Cluster(status, log=b"oops\n")
    http_stub.answer = cluster.answer
    output = Output()
    outcome = runtime.run(ORDER, output, lambda _elapsed: None)
    assert (outcome.out_of_memory, output.text) == (memory, "oops\n")
    assert outcome.exit_code in (3, 137)
    assert len(cluster.deleted) == 1


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, TimedOut, "^$"),
        ({"phase": "Failed", "reason": "Evicted", "message": "no memory"}, RuntimeUnavailable, "Evicted no memory"),
        (
            _status("Pending", waiting={"reason": "ImagePullBackOff", "message": "no such image"}),
            RuntimeUnavailable,
            "cannot start: ImagePullBackOff no such image",
        ),
        ({"phase": "Pending"}, TimedOut, "^$"),
    ],
)
def test_a_pod_that_does_not_end_by_itself_is_deleted(
    runtime: KubernetesRuntime, http_stub: HttpStub, status: dict[str, Any], error: type[Exception], message: str
) -> None:
    cluster = Cluster(status)
    http_stub.answer = cluster.answer
    with pytest.raises(error, match=message):
        runtime.run(ContainerSpec(image="a", timeout=0.2), Output(), lambda _elapsed: None)
    assert len(cluster.deleted) == 1


def test_stop_deletes_the_pod(runtime: KubernetesRuntime, http_stub: HttpStub) -> None:
    cluster = Cluster({"phase": "Running"})
    http_stub.answer = cluster.answer

    def stop() -> None:
        cluster.looked.wait(10)
        runtime.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(Stopped):
        runtime.run(ORDER, Output(), lambda _elapsed: None)
    stopper.join()
    assert set(cluster.deleted) == {cluster.created[0]["metadata"]["name"]}


def test_orphaned_pods_are_deleted_by_the_next_run(runtime: KubernetesRuntime, http_stub: HttpStub) -> None:
    others = [
        {"metadata": {"name": "coinrequest-old", "labels": {"coinrequest.until": "1"}}},
        {"metadata": {"name": "coinrequest-running", "labels": {"coinrequest.until": "99999999999"}}},
        {"metadata": {"name": "other", "labels": {"coinrequest.until": "1"}}},
    ]
    cluster = Cluster(_ended(0), others=others)
    http_stub.answer = cluster.answer
    runtime.run(ORDER, Output(), lambda _elapsed: None)
    assert cluster.deleted == ["coinrequest-old", cluster.created[0]["metadata"]["name"]]


def test_errors_of_the_cluster_are_reported(runtime: KubernetesRuntime, http_stub: HttpStub) -> None:
    cluster = Cluster({"phase": "Pending"})
    cluster.refusal = _json(403, {"message": "pods is forbidden", "code": 403})
    http_stub.answer = cluster.answer
    with pytest.raises(RuntimeUnavailable, match=r"the cluster: 403 Forbidden.*pods is forbidden"):
        runtime.run(ORDER, Output(), lambda _elapsed: None)


def test_the_component_allows_what_is_called_and_opens_the_network_by_the_pods_label() -> None:
    folder = project_root() / "kubernetes" / "components" / "container-run"
    files = (folder / name for name in ("access.yaml", "namespace.yaml", "network-policies.yaml"))
    documents = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    named = {document["metadata"]["name"]: document for document in documents}
    verbs = {rule["resources"][0]: set(rule["verbs"]) for rule in documents[0]["rules"]}
    assert verbs == {"pods": {"create", "get", "list", "delete"}, "pods/log": {"get"}}
    assert named["deny-by-default"]["spec"]["podSelector"] == {}
    selector = named["to-the-world"]["spec"]["podSelector"]["matchLabels"]
    assert not selector.items() <= pod_manifest("a", ORDER)["metadata"]["labels"].items()
    assert (
        selector.items() <= pod_manifest("a", ContainerSpec(image="a", network="bridge"))["metadata"]["labels"].items()
    )
