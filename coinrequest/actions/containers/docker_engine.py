"""Containers on a Docker engine, through Docker's own library.

What a container may do is fixed here and no definition can change it; the options are described at
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

# For one request to the engine, which answers at once; a pull has no limit but the task's.
_REQUEST_SECONDS = 30
_LOOK_SECONDS = 0.5
# What SIGKILL leaves, the kernel's too.
_KILLED = 137
# How long after the end to wait for the word that it was the kernel's.
_LATE_SECONDS = 3
_TMP_OPTIONS = f"rw,noexec,nosuid,nodev,size={TMP_BYTES},mode=1777"


def container_options(spec: ContainerSpec) -> dict[str, Any]:
    """Return how a container is made, as `docker.DockerClient.containers.create` takes it."""
    return {
        "command": list(spec.command) or None,
        "environment": dict(spec.environment),
        "working_dir": spec.working_directory or None,
        "user": f"{spec.user}:{spec.user}",
        "labels": labels(spec.timeout, spec.job),
        "network_mode": spec.network or "none",
        "mem_limit": spec.memory_bytes,
        # Memory and swap together, so that there is no swap.
        "memswap_limit": spec.memory_bytes,
        "nano_cpus": int(spec.cpus * 1_000_000_000),
        "pids_limit": PROCESSES,
        "privileged": False,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        # The owner, because the engine gives it the mode that /tmp has in the image, which may be any.
        "tmpfs": {"/tmp": f"{_TMP_OPTIONS},uid={spec.user},gid={spec.user}"},  # noqa: S108 - in the container
        # The output is read as it comes and kept nowhere else: endless output fills no disk.
        "log_config": {"Type": "none"},
        "stdin_open": False,
        "tty": False,
    }


class DockerRuntime(Runtime):
    """Runs a container on a Docker engine.

    Args:
        address: such as `unix:///run/user/1000/docker.sock`; None: what `DOCKER_HOST` says, or the usual socket.
    """

    def __init__(self, address: str | None = None) -> None:
        super().__init__()
        self._address = address
        self._container: Any = None

    def run(self, spec: ContainerSpec, output: Output, report: Report) -> Outcome:
        """Run a container to its end; see `Runtime.run`."""
        with _failures(), contextlib.closing(self._connect()) as client:
            _remove_orphans(client)
            container = _create(client, spec)
            self._container = container
            log.info("container %s of %s", container.name, spec.image)
            try:
                return self._follow(container, spec, output, report)
            finally:
                _remove(container)

    def stop(self) -> None:
        """Kill and remove the container, over a connection of its own: `run` may be in the middle of a request."""
        self.stopped = True
        if self._container is not None:
            with _failures(), contextlib.closing(self._connect()) as client:
                client.api.remove_container(self._container.id, force=True, v=True)

    def _connect(self) -> Any:
        try:
            from docker.client import DockerClient
        except ImportError as error:
            raise RuntimeUnavailable(
                "this agent cannot use Docker: run pip install 'coinrequest[docker]' on it"
            ) from error
        if self._address is not None:
            return DockerClient(base_url=self._address, timeout=_REQUEST_SECONDS)
        return DockerClient.from_env(timeout=_REQUEST_SECONDS)

    def _follow(self, container: Any, spec: ContainerSpec, output: Output, report: Report) -> Outcome:
        # Attached before the start, so that nothing is missed.
        attached = container.attach_socket(params={"stdout": 1, "stderr": 1, "stream": 1})
        reader = threading.Thread(target=_read, args=(attached, output), name=container.name, daemon=True)
        reader.start()
        container.start()
        return self._wait(container, spec, reader, report)

    def _wait(self, container: Any, spec: ContainerSpec, reader: threading.Thread, report: Report) -> Outcome:
        started = time.monotonic()
        while True:
            reader.join(_LOOK_SECONDS)
            elapsed = time.monotonic() - started
            if self.stopped:
                raise Stopped
            if not reader.is_alive() and (state := _ended(container)) is not None:
                return Outcome(exit_code=int(state["ExitCode"]), out_of_memory=_wanted_too_much(container, state))
            if elapsed > spec.timeout:
                raise TimedOut
            report(elapsed)
            if not reader.is_alive():  # it closed its output and goes on
                time.sleep(_LOOK_SECONDS)


def _read(attached: Any, output: Output) -> None:
    """Take what a container writes until it ends, and close the connection."""
    from docker.utils.socket import STDERR, frames_iter

    # When the container is removed, or the engine goes away, the stream breaks; the other thread finds out why.
    with contextlib.suppress(Exception):
        for channel, chunk in frames_iter(attached, tty=False):
            output.add(chunk, is_error=channel == STDERR)
    # The library keeps the connection that is behind the socket here, and closes it nowhere.
    connections: tuple[Any, ...] = (getattr(attached, "_response", None), attached)
    for connection in connections:
        with contextlib.suppress(Exception):
            connection.close()


def _wanted_too_much(container: Any, state: Any) -> bool:
    """Say whether a container that has ended was killed for its memory.

    The kernel's word and the end reach the engine on two ways. Where the end comes first, Docker 20.10 does not write
    the other into the state: it is an event alone (seen on a busy machine).
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
        since=began, until=ended + timedelta(seconds=_LATE_SECONDS), filters=filters, decode=True
    )
    with contextlib.closing(events):
        return any(events)


def _ended(container: Any) -> Any:
    """Return the state of a container that has ended, else None."""
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
        log.info("pulling %s", spec.image)
        client.api.timeout = None
        try:
            client.images.pull(spec.image)
        finally:
            client.api.timeout = _REQUEST_SECONDS
        return client.containers.create(spec.image, name=name, **options)


def _remove(container: Any) -> None:
    """Remove a container, whatever it does; if it cannot be, the next run on this engine will try again."""
    from docker.errors import NotFound

    try:
        container.remove(force=True, v=True)
    except NotFound:
        pass
    except Exception:
        log.warning("container %s could not be removed", container.name, exc_info=True)


def _remove_orphans(client: Any) -> None:
    """Remove containers whose agent was killed before it could."""
    for container in client.containers.list(all=True, filters={"label": "coinrequest.until"}, ignore_removed=True):
        if is_orphaned(container.name, container.labels):
            log.warning("removing %s, which nobody waits for any more", container.name)
            _remove(container)


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Give what the library raises a name of ours."""
    try:
        yield
    except (RuntimeUnavailable, TimedOut, Stopped):
        raise
    except Exception as error:
        explanation = getattr(error, "explanation", None) or error
        raise RuntimeUnavailable(f"the Docker engine: {str(explanation)[:1_000]}") from error
