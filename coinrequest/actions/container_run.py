"""`container.run`: run a command in a restricted container."""

import logging
import re
from collections.abc import Mapping
from signal import Signals
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from coinrequest import settings
from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.actions.containers.images import ImageInvalid, is_allowed, parse_image
from coinrequest.actions.containers.output import Output
from coinrequest.actions.containers.runtime import ContainerSpec, Runtime, RuntimeUnavailable, Stopped, TimedOut
from coinrequest.limits import MEBIBYTE

log = logging.getLogger(__name__)

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
# The number of characters of the output in an error message, whose length is limited too.
_MAX_TAIL_LENGTH = 1_500


class ContainerRefused(ActionFailed):
    """The administrator does not allow the image or the network."""


class ContainerUnavailable(ActionFailed):
    """The engine or the cluster is not available, or cannot pull the image."""


class ContainerTimeout(ActionFailed):
    """The container ran longer than `timeout`, or the job was stopped; the container was killed."""


class ContainerFailed(ActionFailed):
    """The container exited with an unexpected code, or ran out of memory.

    Attributes:
        exit_code: the exit code of the main process.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class ContainerRunInputs(ActionModel):
    """The inputs of `container.run`."""

    image: str = Field(
        min_length=1,
        max_length=255,
        description="an image that the administrator allows in COINREQUEST_CONTAINER_IMAGES",
        examples=["python:3.12-slim"],
    )
    command: tuple[str, ...] = Field(
        default=(),
        strict=False,
        max_length=500,
        description="the arguments of the image's entry point, or the command if it has none, without a shell; empty "
        "for those of the image",
        examples=[["python", "-c", "print('hello')"]],
    )
    environment: dict[str, str] = Field(
        default={}, max_length=100, description="variables; do not use secrets, because they are stored"
    )
    working_directory: str = Field(
        default="",
        max_length=500,
        pattern=r"^(/[^\x00]*)?$",
        description="an absolute path; empty for that of the image",
    )
    user: int = Field(
        default=65_534,
        ge=1,
        le=2_147_483_647,
        description="the user id and the group id; root (0) is not allowed",
    )
    memory: int = Field(default=256, ge=8, le=16_384, description="the memory limit in MiB, without swap")
    cpus: float = Field(default=1.0, ge=0.01, le=32, description="the CPU limit, in processors")
    timeout: float = Field(default=300.0, ge=1, le=86_400, description="seconds from the start of the container")
    network: bool = Field(
        default=False, description="whether to connect it to the network, if the administrator allows it"
    )
    expected_exit_codes: tuple[int, ...] = Field(
        default=(0,), strict=False, min_length=1, max_length=50, description="the exit codes of success"
    )

    @field_validator("image")
    @classmethod
    def _image_is_a_name(cls, image: str) -> str:
        parse_image(image)
        return image

    @field_validator("command")
    @classmethod
    def _command_is_text(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if sum(len(part.encode()) for part in command) > 65_536 or any("\x00" in part for part in command):
            raise ValueError("the command is longer than 64 KiB or contains a NUL character")
        return command

    @field_validator("environment")
    @classmethod
    def _environment_is_variables(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name[:50]!r} is not a valid name: use a letter or _, then letters, digits and _")
            if "\x00" in value or len(value) > 32_768:
                raise ValueError(f"the value of {name} is longer than 32 KiB or contains a NUL character")
        return environment


class ContainerRunResult(ActionModel):
    """The result of `container.run`."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_alias=True)

    exit_code: int = Field(description="the exit code of the main process")
    output: str = Field(description="the end of standard output and standard error, at most 64 KiB")
    truncated: bool = Field(description="whether the output was longer")
    json_output: Any = Field(
        default=None, alias="json", description="the last line of standard output if it is JSON, otherwise null"
    )


class ContainerRun(Action[ContainerRunInputs, ContainerRunResult]):
    """Run a command in a container without root, without access to files of the host, and by default without network.

    It is disabled until the administrator allows images.
    """

    name: ClassVar[str] = "container.run"
    summary: ClassVar[str] = "Run a command in a container"
    Inputs: ClassVar[type[BaseModel]] = ContainerRunInputs
    Result: ClassVar[type[BaseModel]] = ContainerRunResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (
        ContainerRefused,
        ContainerUnavailable,
        ContainerTimeout,
        ContainerFailed,
    )

    _runtime: Runtime | None = None

    @classmethod
    def unavailable(cls) -> str | None:
        """Return that no image is allowed, or that a setting is invalid."""
        images = settings.container_images()
        if not images:
            return (
                "no image is allowed; the administrator can allow images in COINREQUEST_CONTAINER_IMAGES, such as "
                "python:3.12-slim,registry.example.org/team/*"
            )
        try:
            is_allowed(parse_image("none"), images)
            settings.container_runtime()
            settings.container_network()
        except ImageInvalid as error:
            return f"COINREQUEST_CONTAINER_IMAGES: {error}"
        except settings.SettingInvalid as error:
            return str(error)
        return None

    @classmethod
    def doubts(cls, inputs: Mapping[str, Any]) -> Mapping[str, str]:
        """Return that the image or the network is not allowed."""
        image, network = inputs.get("image"), inputs.get("network", False)
        if not isinstance(image, str) or "{{" in image or cls.unavailable() is not None:
            return {}
        try:
            refusal = _refusal(image, network=network is True)
        except ImageInvalid:
            return {}
        return {} if refusal is None else dict([refusal])

    def run(self, inputs: ContainerRunInputs) -> ContainerRunResult:
        """Run the container until it exits, and remove it.

        Raises:
            ContainerRefused: the image or the network is not allowed.
            ContainerUnavailable: the engine or the cluster is not available, or cannot pull the image.
            ContainerTimeout: it ran too long or was stopped.
            ContainerFailed: it exited with an unexpected code.
        """
        spec = _container_spec(inputs, self.context.job)
        output = Output()
        runtime = self._runtime = _runtime()

        def report(elapsed: float) -> None:
            message = f"seconds, {output.lines} lines of output" if output.lines else "seconds"
            self.context.report(min(elapsed, inputs.timeout), inputs.timeout, message)

        try:
            outcome = runtime.run(spec, output, report)
        except TimedOut as error:
            raise ContainerTimeout(f"{spec.image} ran longer than {inputs.timeout:g} s{_tail(output)}") from error
        except (RuntimeUnavailable, Stopped) as error:
            # A container that `stop` has just removed is not found either.
            if runtime.stopped:
                raise ContainerTimeout("the job and its container were stopped") from error
            raise ContainerUnavailable(str(error)) from error
        finally:
            self._runtime = None
        log.info("Exit code %d, %d bytes of output%s", outcome.exit_code, output.size, _tail(output))
        if outcome.out_of_memory:
            raise ContainerFailed(
                f"{spec.image} ran out of memory; its limit is {inputs.memory} MiB{_tail(output)}", outcome.exit_code
            )
        if outcome.exit_code not in inputs.expected_exit_codes:
            raise ContainerFailed(
                f"{spec.image} exited with code {_described(outcome.exit_code)}{_tail(output)}", outcome.exit_code
            )
        return ContainerRunResult(
            exit_code=outcome.exit_code, output=output.text, truncated=output.truncated, json=output.document
        )

    def stop(self) -> None:
        """Kill and remove the container. It never raises: `run` is interrupted, and removes the container too."""
        if self._runtime is not None:
            try:
                self._runtime.stop()
            except RuntimeUnavailable:
                log.warning("The container could not be removed immediately", exc_info=True)


def _refusal(image: str, *, network: bool) -> tuple[str, str] | None:
    """Return the input that the administrator does not allow, and why; None if all are allowed."""
    parsed = parse_image(image)
    if not is_allowed(parsed, settings.container_images()):
        return "image", (
            f"the image {parsed} is not allowed; an administrator can allow it in COINREQUEST_CONTAINER_IMAGES"
        )
    if network and settings.container_network() is None:
        return "network", (
            "access to the network is not allowed; an administrator can allow it with COINREQUEST_CONTAINER_NETWORK, "
            "such as bridge"
        )
    return None


def _container_spec(inputs: ContainerRunInputs, job: str) -> ContainerSpec:
    """Return the specification of the container, if the administrator allows it.

    Raises:
        ContainerRefused: it is not allowed, or a setting is invalid.
    """
    if (reason := ContainerRun.unavailable()) is not None:
        raise ContainerRefused(reason)
    if (refusal := _refusal(inputs.image, network=inputs.network)) is not None:
        raise ContainerRefused(refusal[1])
    image, network = parse_image(inputs.image), settings.container_network()
    return ContainerSpec(
        image=str(image),
        command=inputs.command,
        environment=inputs.environment,
        working_directory=inputs.working_directory,
        user=inputs.user,
        memory_bytes=inputs.memory * MEBIBYTE,
        cpus=inputs.cpus,
        timeout=inputs.timeout,
        network=network if inputs.network else None,
        job=job,
    )


def _runtime() -> Runtime:
    if settings.container_runtime() == "kubernetes":
        from coinrequest.actions.containers.kubernetes_cluster import KubernetesRuntime

        return KubernetesRuntime(settings.container_namespace())
    from coinrequest.actions.containers.docker_engine import DockerRuntime

    return DockerRuntime(settings.container_engine())


def _described(exit_code: int) -> str:
    """Return an exit code, with the signal that it stands for; the shells count them from 128."""
    try:
        name = Signals(exit_code - 128).name
    except ValueError:
        return str(exit_code)
    return f"{exit_code} ({name}{', but not for its memory' if name == 'SIGKILL' else ''})"


def _tail(output: Output) -> str:
    text = output.text.strip()[-_MAX_TAIL_LENGTH:]
    return f"; the end of its output:\n{text}" if text else "; it had no output"
