"""`container.run`: run a command in a container of its own, held down as far as an engine can."""

import logging
import re
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
# How much of the output stands in an error, whose text is limited as well.
_TAIL_IN_ERROR = 1_500


class ContainerRefused(ActionFailed):
    """The administrator does not allow this image, or this use of the network."""


class ContainerUnavailable(ActionFailed):
    """The engine or the cluster cannot be used, or it cannot get the image."""


class ContainerTimeout(ActionFailed):
    """The container ran longer than `timeout`, or the job was stopped; it was killed."""


class ContainerFailed(ActionFailed):
    """The container ended with an exit code that was not expected, or wanted more memory than it may have.

    Attributes:
        exit_code: that of its first process.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class ContainerRunInputs(ActionModel):
    """What to run, and how much of the machine it may have."""

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
        description="arguments of the image's entry point, or the command where it has none; no shell reads them. "
        "None: the image's own",
        examples=[["python", "-c", "print('hello')"]],
    )
    environment: dict[str, str] = Field(
        default={}, max_length=100, description="variables; no secrets, for they are stored with the job"
    )
    working_directory: str = Field(
        default="", max_length=500, pattern=r"^(/[^\x00]*)?$", description="absolute; empty: the image's own"
    )
    user: int = Field(
        default=65_534,
        ge=1,
        le=2_147_483_647,
        description="number of the user and of the group; never 0, which is root",
    )
    memory: int = Field(default=256, ge=8, le=16_384, description="MiB; there is no swap beside it")
    cpus: float = Field(default=1.0, ge=0.01, le=32, description="how many processors' time")
    timeout: float = Field(default=300.0, ge=1, le=86_400, description="seconds from the container's start")
    network: bool = Field(
        default=False, description="whether it may reach the network, where the administrator allows that at all"
    )
    expected_exit_codes: tuple[int, ...] = Field(
        default=(0,), strict=False, min_length=1, max_length=50, description="the exit codes that count as success"
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
            raise ValueError("the command has more than 64 KiB or a NUL character")
        return command

    @field_validator("environment")
    @classmethod
    def _environment_is_variables(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name[:50]!r} is not the name of a variable: a letter or _, then letters, digits, _")
            if "\x00" in value or len(value) > 32_768:
                raise ValueError(f"the value of {name} has more than 32 KiB or a NUL character")
        return environment


class ContainerRunResult(ActionModel):
    """How it ended, and what it wrote."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_alias=True)

    exit_code: int = Field(description="that of its first process")
    output: str = Field(description="the end of what it wrote on both channels, at most 64 KiB")
    truncated: bool = Field(description="whether it wrote more")
    json_output: Any = Field(
        default=None, alias="json", description="the last line of its standard output, if that is JSON; else null"
    )


class ContainerRun(Action[ContainerRunInputs, ContainerRunResult]):
    """Run a command in a container of its own, without root, without the machine's files, by default without network.

    It is off until the administrator names the images that may be used.
    """

    name: ClassVar[str] = "container.run"
    summary: ClassVar[str] = "Run a command in a container of its own"
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
        """Say that no image is allowed, or that a setting cannot be used."""
        images = settings.container_images()
        if not images:
            return (
                "no image may be used: the administrator names those that may in COINREQUEST_CONTAINER_IMAGES, such as "
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

    def run(self, inputs: ContainerRunInputs) -> ContainerRunResult:
        """Run the container to its end and remove it.

        Raises:
            ContainerRefused: the image or the network is not allowed.
            ContainerUnavailable: it cannot be run here, or the image cannot be had.
            ContainerTimeout: it ran too long, or was stopped.
            ContainerFailed: it ended with an exit code that was not expected.
        """
        spec = _container_spec(inputs, self.context.job)
        output = Output()
        runtime = self._runtime = _runtime()

        def report(elapsed: float) -> None:
            written = f"seconds, {output.lines} lines written" if output.lines else "seconds"
            self.context.report(min(elapsed, inputs.timeout), inputs.timeout, written)

        try:
            outcome = runtime.run(spec, output, report)
        except TimedOut as error:
            raise ContainerTimeout(f"{spec.image} ran longer than {inputs.timeout:g} s{_tail(output)}") from error
        except (RuntimeUnavailable, Stopped) as error:
            # A container that `stop` has just removed cannot be found either.
            if runtime.stopped:
                raise ContainerTimeout("the job was stopped, and its container with it") from error
            raise ContainerUnavailable(str(error)) from error
        finally:
            self._runtime = None
        log.info("exit code %d, %d bytes written%s", outcome.exit_code, output.size, _tail(output))
        if outcome.out_of_memory:
            raise ContainerFailed(
                f"{spec.image} wanted more than {inputs.memory} MiB of memory{_tail(output)}", outcome.exit_code
            )
        if outcome.exit_code not in inputs.expected_exit_codes:
            raise ContainerFailed(
                f"{spec.image} ended with exit code {outcome.exit_code}{_tail(output)}", outcome.exit_code
            )
        return ContainerRunResult(
            exit_code=outcome.exit_code, output=output.text, truncated=output.truncated, json=output.document
        )

    def stop(self) -> None:
        """Kill and remove the container. It never fails: `run` is interrupted by it, and removes what is left."""
        if self._runtime is not None:
            try:
                self._runtime.stop()
            except RuntimeUnavailable:
                log.warning("the container could not be removed at once", exc_info=True)


def _container_spec(inputs: ContainerRunInputs, job: str) -> ContainerSpec:
    """Return the container that is asked for, if the administrator allows it.

    Raises:
        ContainerRefused: it is not allowed, or a setting cannot be used.
    """
    if (reason := ContainerRun.unavailable()) is not None:
        raise ContainerRefused(reason)
    image = parse_image(inputs.image)
    if not is_allowed(image, settings.container_images()):
        raise ContainerRefused(
            f"the image {image} may not be used: an administrator allows it in COINREQUEST_CONTAINER_IMAGES"
        )
    network = settings.container_network()
    if inputs.network and network is None:
        raise ContainerRefused(
            "a container may not reach the network: an administrator allows it with COINREQUEST_CONTAINER_NETWORK, "
            "such as bridge"
        )
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


def _tail(output: Output) -> str:
    text = output.text.strip()[-_TAIL_IN_ERROR:]
    return f"; it wrote last:\n{text}" if text else "; it wrote nothing"
