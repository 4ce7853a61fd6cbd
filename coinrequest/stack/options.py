"""The options of a stack."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from coinrequest.install.private_files import read_json, write_private
from coinrequest.stack.errors import StackError
from coinrequest.stack.layout import Layout

DEFAULT_AGENTS = 1
DEFAULT_CONCURRENCY = 4
# The settings that are options of the stack, not variables of its processes.
STACK_OPTIONS = frozenset({"COINREQUEST_AGENTS", "COINREQUEST_CONCURRENCY", "COINREQUEST_PORT"})


@dataclass(frozen=True)
class Options:
    """How a stack is started.

    Attributes:
        agents: the number of Celery agents, each a process of its own.
        concurrency: the number of tasks that an agent runs at the same time.
        queues: the queues of the agents, separated by commas.
        web_port: the web server's port; None for any free port, which is kept for later starts.
        overrides: Airflow options that differ from `config/airflow.cfg`, from `section.key` to value.
        gateways: the number of gateways, each a process of its own.
        variables: environment variables that override those of the person who starts the stack.
        settled: whether `variables` has all settings of the start, so that the environment has no more to say.
    """

    agents: int = DEFAULT_AGENTS
    concurrency: int = DEFAULT_CONCURRENCY
    queues: str = "default"
    web_port: int | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    gateways: int = 1
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    settled: bool = False

    def __post_init__(self) -> None:
        if self.agents < 1 or self.concurrency < 1:
            raise StackError("A stack needs at least one agent with a concurrency of at least one.")
        if self.web_port is not None and not 1 <= self.web_port <= 65_535:
            raise StackError(f"COINREQUEST_PORT must be from 1 to 65535, not {self.web_port}.")
        if self.gateways < 1:
            raise StackError("A stack needs at least one gateway.")

    def save(self, layout: Layout) -> None:
        """Write the options to the file that the supervisor reads."""
        write_private(layout.options, json.dumps(asdict(self)))

    @classmethod
    def load(cls, layout: Layout) -> "Options":
        """Return the options of the last start."""
        return cls(**read_json(layout.options))  # type: ignore[arg-type]


def chosen_options(
    settings: Mapping[str, str],
    *,
    agents: int | None = None,
    concurrency: int | None = None,
    web_port: int | None = None,
    queues: str = "default",
    overrides: Mapping[str, str] | None = None,
) -> Options:
    """Return the options of a start; an argument precedes its setting.

    Raises:
        StackError: a setting is not a whole number, or an option has a value that it cannot have.
    """
    return Options(
        agents=_number(settings, "COINREQUEST_AGENTS", DEFAULT_AGENTS) if agents is None else agents,
        concurrency=_number(settings, "COINREQUEST_CONCURRENCY", DEFAULT_CONCURRENCY)
        if concurrency is None
        else concurrency,
        queues=queues,
        web_port=(_number(settings, "COINREQUEST_PORT", 0) if web_port is None else web_port) or None,
        overrides=overrides or {},
    )


def _number(settings: Mapping[str, str], name: str, default: int) -> int:
    text = settings.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise StackError(f"{name} must be a whole number, not {text!r}.") from None


def parse_overrides(settings: Iterable[str]) -> dict[str, str]:
    """Turn `section.key=value` texts into a mapping.

    Raises:
        StackError: a text has another form.
    """
    overrides: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        section, dot, key = name.strip().rpartition(".")
        if not (equals and dot and section and key):
            raise StackError(f"{setting!r} is not an Airflow option: write section.key=value.")
        overrides[f"{section}.{key}"] = value
    return overrides
