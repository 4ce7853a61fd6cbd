"""Runs containers on a Docker engine, with the Docker SDK.

The restrictions of a container are fixed here, and a definition cannot change them. The options are documented at
https://docs.docker.com/reference/cli/docker/container/run/ and https://docs.docker.com/engine/security/
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from coinrequest.actions.containers.output import Output
from coinrequest.actions.containers.runtime import (
    PROCESSES,
    TMP_BYTES,
    ContainerSpec,
    Outcome,
    Report,
    Runtime,
    RuntimeUnavailable,
    Stopped,
    TimedOut,
    is_orphaned,
    labels,
    new_name,
)

log = logging.getLogger(__name__)

# The time-out of a request to the engine; a pull has only the time-out of the task.
_REQUEST_SECONDS = 30
_POLL_SECONDS = 0.5
# The exit code after SIGKILL, also from the kernel.
_KILLED = 137
# How long to wait, after a container was killed, for the event that it was out of memory.
_EVENT_SECONDS = 3
_TMP_OPTIONS = f"rw,noexec,nosuid,nodev,size={TMP_BYTES},mode=1777"


def container_options(spec: ContainerSpec) -> dict[str, Any]:
    """Return the arguments for `docker.DockerClient.containers.create`."""
    return {
        "command": list(spec.command) or None,
        "environment": dict(spec.environment),
        "working_dir": spec.working_directory or None,
        "user": f"{spec.user}:{spec.user}",
        "labels": labels(spec.timeout, spec.job),
        "network_mode": spec.network or "none",
        "mem_limit": spec.memory_bytes,
        # The sum of memory and swap, so that there is no swap.
        "memswap_limit": spec.memory_bytes,
        "nano_cpus": int(spec.cpus * 1_000_000_000),
        "pids_limit": PROCESSES,
        "privileged": False,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        # Owned by the user, because the engine may ignore the mode in favour of that of /tmp in the image.
        "tmpfs": {"/tmp": f"{_TMP_OPTIONS},uid={spec.user},gid={spec.user}"},  # noqa: S108 - in the container
        # The output is only streamed, so that endless output cannot fill a disk.
        "log_config": {"Type": "none"},
        "stdin_open": False,
        "tty": False,
    }


class DockerRuntime(Runtime):
    """Runs a container on a Docker engine.

    Args:
        address: an address such as `unix:///run/user/1000/docker.sock`; None for `DOCKER_HOST` or the default socket.
    """

    def __init__(self, address: str | None = None) -> None:
        super().__init__()
        self._address = address
        self._container: Any = None

    def run(self, spec: ContainerSpec, output: Output, report: Report) -> Outcome:
        """Run a container until it exits; see `Runtime.run`."""
        with _failures(), contextlib.closing(self._connect()) as client:
            _remove_orphans(client)
            container = _create(client, spec)
            self._container = container
            log.info("Created the container %s from %s", container.name, spec.image)
            try:
                return self._follow(container, spec, output, report)
            finally:
                _remove(container)

    def stop(self) -> None:
        """Kill and remove the container over a separate connection, because `run` may be in the middle of a request."""
        self.stopped = True
        if self._container is not None:
            with _failures(), contextlib.closing(self._connect()) as client:
                client.api.remove_container(self._container.id, force=True, v=True)

    def _connect(self) -> Any:
        try:
            from docker.client import DockerClient
        except ImportError as error:
            raise RuntimeUnavailable(
                "this agent does not support Docker; run pip install 'coinrequest[docker]' on it"
            ) from error
        if self._address is not None:
            return DockerClient(base_url=self._address, timeout=_REQUEST_SECONDS)
        return DockerClient.from_env(timeout=_REQUEST_SECONDS)

    def _follow(self, container: Any, spec: ContainerSpec, output: Output, report: Report) -> Outcome:
        # Attach before the start, to get all output.
        attached = container.attach_socket(params={"stdout": 1, "stderr": 1, "stream": 1})
        reader = threading.Thread(target=_read, args=(attached, output), name=container.name, daemon=True)
        reader.start()
        container.start()
        return self._wait(container, spec, reader, report)

    def _wait(self, container: Any, spec: ContainerSpec, reader: threading.Thread, report: Report) -> Outcome:
        started = time.monotonic()
        while True:
            reader.join(_POLL_SECONDS)
            elapsed = time.monotonic() - started
            if self.stopped:
                raise Stopped
            if not reader.is_alive() and (state := _ended(container)) is not None:
                return Outcome(exit_code=int(state["ExitCode"]), out_of_memory=_is_out_of_memory(container, state))
            if elapsed > spec.timeout:
                raise TimedOut
            report(elapsed)
            if not reader.is_alive():  # the container closed its output but still runs
                time.sleep(_POLL_SECONDS)


def _read(attached: Any, output: Output) -> None:
    """Read the output of a container until it exits, and close the connection."""
    from docker.utils.socket import STDERR, frames_iter

    # The stream breaks if the container is removed or the engine stops; the other thread finds out which.
    with contextlib.suppress(Exception):
        for channel, chunk in frames_iter(attached, tty=False):
            output.add(chunk, is_error=channel == STDERR)
    # The library never closes the connection behind the socket, which it keeps in this attribute.
    connections: tuple[Any, ...] = (getattr(attached, "_response", None), attached)
    for connection in connections:
        with contextlib.suppress(Exception):
            connection.close()


def _is_out_of_memory(container: Any, state: Any) -> bool:
    """Return whether a container was killed because it ran out of memory.

    The engine learns of this and of the exit in two ways. If it sees the exit first, which happens on busy machines,
    Docker 20.10 reports the other in an event only, and not in the state.
    """
    if state.get("OOMKilled"):
        return True
    if int(state["ExitCode"]) != _KILLED:
        return False
    began, ended = (
        datetime.fromisoformat(state[name][:19]).replace(tzinfo=UTC) for name in ("StartedAt", "FinishedAt")
    )
    filters = {"container": container.id, "event": "oom"}
    events = container.client.events(
        since=began, until=ended + timedelta(seconds=_EVENT_SECONDS), filters=filters, decode=True
    )
    with contextlib.closing(events):
        return any(events)


def _ended(container: Any) -> Any:
    """Return the state of a container that has exited; None if it still runs."""
    container.reload()
    state = container.attrs["State"]
    return state if state["Status"] in ("exited", "dead") else None


def _create(client: Any, spec: ContainerSpec) -> Any:
    from docker.errors import ImageNotFound

    options = container_options(spec)
    name = new_name()
    try:
        return client.containers.create(spec.image, name=name, **options)
    except ImageNotFound:
        log.info("Pulling the image %s", spec.image)
        client.api.timeout = None
        try:
            client.images.pull(spec.image)
        finally:
            client.api.timeout = _REQUEST_SECONDS
        return client.containers.create(spec.image, name=name, **options)


def _remove(container: Any) -> None:
    """Kill and remove a container. If this fails, the next run on this engine tries again."""
    from docker.errors import NotFound

    try:
        container.remove(force=True, v=True)
    except NotFound:
        pass
    except Exception:
        log.warning("The container %s could not be removed", container.name, exc_info=True)


def _remove_orphans(client: Any) -> None:
    """Remove the containers of agents that were killed."""
    for container in client.containers.list(all=True, filters={"label": "coinrequest.until"}, ignore_removed=True):
        if is_orphaned(container.name, container.labels):
            log.warning("Removing the orphaned container %s", container.name)
            _remove(container)


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Convert the exceptions of the Docker SDK."""
    try:
        yield
    except (RuntimeUnavailable, TimedOut, Stopped):
        raise
    except Exception as error:
        explanation = getattr(error, "explanation", None) or error
        raise RuntimeUnavailable(f"the Docker engine: {str(explanation)[:1_000]}") from error
