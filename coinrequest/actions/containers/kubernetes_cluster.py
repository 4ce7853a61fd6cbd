"""Runs containers as pods of a Kubernetes cluster, with the official client."""

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
_POLL_SECONDS = 1.0
# Kubernetes mounts the namespace of a pod here.
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# Reasons for waiting that do not resolve themselves.
_PERMANENT_REASONS = frozenset(
    {"ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff", "CreateContainerConfigError", "CreateContainerError"}
)


class KubernetesRuntime(Runtime):
    """Runs a container as a pod.

    Args:
        namespace: the namespace of the pod; None for that of the agent, or `default` outside a cluster.
        poll_seconds: seconds between two requests for the state of the pod.
    """

    def __init__(self, namespace: str | None = None, poll_seconds: float = _POLL_SECONDS) -> None:
        super().__init__()
        self._namespace = namespace or _own_namespace()
        self._poll_seconds = poll_seconds
        self._pod = ""

    def run(self, spec: ContainerSpec, output: Output, report: Report) -> Outcome:
        """Run a pod until it exits; see `Runtime.run`."""
        with _failures(), _client() as pods:
            self._remove_orphans(pods)
            name = new_name()
            self._pod = name
            try:
                pods.create_namespaced_pod(self._namespace, pod_manifest(name, spec), _request_timeout=_REQUEST_SECONDS)
                log.info("Created the pod %s/%s from %s", self._namespace, name, spec.image)
                try:
                    pod = self._ended(pods, spec, report)
                finally:
                    self._read_output(pods, output)
                return _outcome(pod)
            finally:
                self._remove(pods, name)

    def stop(self) -> None:
        """Delete the pod over a separate connection, because `run` may be in the middle of a request."""
        self.stopped = True
        if self._pod:
            with _failures(), _client() as pods:
                self._remove(pods, self._pod)

    def _ended(self, pods: Any, spec: ContainerSpec, report: Report) -> Any:
        """Wait until the pod has exited, and return it."""
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
            time.sleep(self._poll_seconds)

    def _read_output(self, pods: Any, output: Output) -> None:
        """Read the output of the pod; a pod that never started has none."""
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
        """Kill and delete a pod. If this fails, the cluster stops it at its deadline, and the next run deletes it."""
        try:
            pods.delete_namespaced_pod(name, self._namespace, grace_period_seconds=0, _request_timeout=_REQUEST_SECONDS)
        except Exception as error:
            if getattr(error, "status", None) != 404:
                log.warning("The pod %s/%s could not be deleted", self._namespace, name, exc_info=True)

    def _remove_orphans(self, pods: Any) -> None:
        """Delete the pods of agents that were killed."""
        found = pods.list_namespaced_pod(
            self._namespace, label_selector="coinrequest.action=container.run", _request_timeout=_REQUEST_SECONDS
        )
        for pod in found.items:
            if is_orphaned(pod.metadata.name, pod.metadata.labels or {}):
                log.warning("Deleting the orphaned pod %s", pod.metadata.name)
                self._remove(pods, pod.metadata.name)


def _outcome(pod: Any) -> Outcome:
    for status in pod.status.container_statuses or ():
        ended = status.state.terminated if status.state else None
        if status.name == CONTAINER and ended is not None:
            return Outcome(exit_code=int(ended.exit_code), out_of_memory=ended.reason == "OOMKilled")
    raise RuntimeUnavailable(f"the pod failed: {pod.status.reason or 'no reason'} {pod.status.message or ''}".rstrip())


def _problem(pod: Any) -> str | None:
    """Return why a pod will never start; None if it may."""
    for status in pod.status.container_statuses or ():
        waiting = status.state.waiting if status.state else None
        if waiting is not None and waiting.reason in _PERMANENT_REASONS:
            return f"the pod cannot start: {waiting.reason} {waiting.message or ''}".rstrip()[:1_000]
    return None


@contextlib.contextmanager
def _client() -> Iterator[Any]:
    """Return a client for the cluster in which the agent runs, or for that of `KUBECONFIG`."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise RuntimeUnavailable(
            "this agent does not support Kubernetes; run pip install 'coinrequest[kubernetes]' on it"
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
        return _NAMESPACE_FILE.read_text().strip()
    except OSError:
        return "default"


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Convert the exceptions of the client."""
    try:
        yield
    except (RuntimeUnavailable, TimedOut, Stopped):
        raise
    except Exception as error:
        # str() of an ApiException contains all headers of the response.
        status, reason = getattr(error, "status", None), getattr(error, "reason", None)
        text = f"{status} {reason}: {getattr(error, 'body', '')}" if status else str(error)
        raise RuntimeUnavailable(f"the cluster: {text[:1_000]}") from error
