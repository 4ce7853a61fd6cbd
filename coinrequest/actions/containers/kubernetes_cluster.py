"""Containers as pods of a Kubernetes cluster, through the official client."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coinrequest.actions.containers.kubernetes_pod import CONTAINER, pod_manifest
from coinrequest.actions.containers.output import Output
from coinrequest.actions.containers.runtime import (
    ContainerSpec,
    Outcome,
    Report,
    Runtime,
    RuntimeUnavailable,
    Stopped,
    TimedOut,
    is_orphaned,
    new_name,
)

log = logging.getLogger(__name__)

_REQUEST_SECONDS = 30
_LOOK_SECONDS = 1.0
# What Kubernetes puts into the pod's own namespace file.
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# Reasons for waiting that do not pass by themselves.
_HOPELESS = frozenset(
    {"ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff", "CreateContainerConfigError", "CreateContainerError"}
)


class KubernetesRuntime(Runtime):
    """Runs a container as a pod.

    Args:
        namespace: of the pod; None: the agent's own, or `default` outside a cluster.
    """

    def __init__(self, namespace: str | None = None, look_seconds: float = _LOOK_SECONDS) -> None:
        super().__init__()
        self._namespace = namespace or _own_namespace()
        self._look_seconds = look_seconds
        self._pod = ""

    def run(self, spec: ContainerSpec, output: Output, report: Report) -> Outcome:
        """Run a pod to its end; see `Runtime.run`."""
        with _failures(), _client() as pods:
            self._remove_orphans(pods)
            name = new_name()
            self._pod = name
            try:
                pods.create_namespaced_pod(self._namespace, pod_manifest(name, spec), _request_timeout=_REQUEST_SECONDS)
                log.info("pod %s/%s of %s", self._namespace, name, spec.image)
                try:
                    pod = self._ended(pods, spec, report)
                finally:
                    self._read_output(pods, output)
                return _outcome(pod)
            finally:
                self._remove(pods, name)

    def stop(self) -> None:
        """Delete the pod, over a connection of its own: `run` may be in the middle of a request."""
        self.stopped = True
        if self._pod:
            with _failures(), _client() as pods:
                self._remove(pods, self._pod)

    def _ended(self, pods: Any, spec: ContainerSpec, report: Report) -> Any:
        """Wait until the pod has ended, and return it."""
        started = time.monotonic()
        while True:
            if self.stopped:
                raise Stopped
            pod = pods.read_namespaced_pod(self._pod, self._namespace, _request_timeout=_REQUEST_SECONDS)
            if pod.status.reason == "DeadlineExceeded" or time.monotonic() - started > spec.timeout:
                raise TimedOut
            if pod.status.phase in ("Succeeded", "Failed"):
                return pod
            if (problem := _problem(pod)) is not None:
                raise RuntimeUnavailable(problem)
            report(time.monotonic() - started)
            time.sleep(self._look_seconds)

    def _read_output(self, pods: Any, output: Output) -> None:
        """Read what the pod wrote; one that never began wrote nothing."""
        from kubernetes.client.exceptions import ApiException

        with contextlib.suppress(ApiException):
            answer = pods.read_namespaced_pod_log(
                self._pod,
                self._namespace,
                container=CONTAINER,
                _preload_content=False,
                _request_timeout=_REQUEST_SECONDS,
            )
            with contextlib.closing(answer):
                for chunk in answer.stream(65_536):
                    output.add(chunk)

    def _remove(self, pods: Any, name: str) -> None:
        """Delete a pod at once; if it cannot be, the cluster ends it at its deadline and the next run deletes it."""
        try:
            pods.delete_namespaced_pod(name, self._namespace, grace_period_seconds=0, _request_timeout=_REQUEST_SECONDS)
        except Exception as error:
            if getattr(error, "status", None) != 404:
                log.warning("pod %s/%s could not be deleted", self._namespace, name, exc_info=True)

    def _remove_orphans(self, pods: Any) -> None:
        """Delete pods whose agent was killed before it could."""
        found = pods.list_namespaced_pod(
            self._namespace, label_selector="coinrequest.action=container.run", _request_timeout=_REQUEST_SECONDS
        )
        for pod in found.items:
            if is_orphaned(pod.metadata.name, pod.metadata.labels or {}):
                log.warning("deleting %s, which nobody waits for any more", pod.metadata.name)
                self._remove(pods, pod.metadata.name)


def _outcome(pod: Any) -> Outcome:
    for status in pod.status.container_statuses or ():
        ended = status.state.terminated if status.state else None
        if status.name == CONTAINER and ended is not None:
            return Outcome(exit_code=int(ended.exit_code), out_of_memory=ended.reason == "OOMKilled")
    raise RuntimeUnavailable(f"the pod failed: {pod.status.reason or 'no reason'} {pod.status.message or ''}".rstrip())


def _problem(pod: Any) -> str | None:
    """Say why a pod will never begin; None: it may."""
    for status in pod.status.container_statuses or ():
        waiting = status.state.waiting if status.state else None
        if waiting is not None and waiting.reason in _HOPELESS:
            return f"the pod cannot begin: {waiting.reason} {waiting.message or ''}".rstrip()[:1_000]
    return None


@contextlib.contextmanager
def _client() -> Iterator[Any]:
    """Give a client of the cluster that the agent runs in, or else of the one that `KUBECONFIG` names."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise RuntimeUnavailable(
            "this agent cannot use Kubernetes: run pip install 'coinrequest[kubernetes]' on it"
        ) from error
    configuration = client.Configuration()
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=configuration)
    else:
        config.load_kube_config(config_file=os.environ.get("KUBECONFIG"), client_configuration=configuration)
    with client.ApiClient(configuration) as connection:
        yield client.CoreV1Api(connection)


def _own_namespace() -> str:
    try:
        return _OWN_NAMESPACE.read_text().strip()
    except OSError:
        return "default"


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Give what the client raises a name of ours."""
    try:
        yield
    except (RuntimeUnavailable, TimedOut, Stopped):
        raise
    except Exception as error:
        # An ApiException's own text has all headers of the answer.
        status, reason = getattr(error, "status", None), getattr(error, "reason", None)
        text = f"{status} {reason}: {getattr(error, 'body', '')}" if status else str(error)
        raise RuntimeUnavailable(f"the cluster: {text[:1_000]}") from error
