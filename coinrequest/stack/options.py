"""The options of a stack."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from coinrequest.install.private_files import read_json, write_private
from coinrequest.stack.errors import StackError
from coinrequest.stack.layout import Layout

DEFAULT_AGENTS = 1
DEFAULT_CONCURRENCY = 4


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
    """

    agents: int = DEFAULT_AGENTS
    concurrency: int = DEFAULT_CONCURRENCY
    queues: str = "default"
    web_port: int | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    gateways: int = 1
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.agents < 1 or self.concurrency < 1:
            raise StackError("A stack needs at least one agent with a concurrency of at least one.")
        if self.gateways < 1:
            raise StackError("A stack needs at least one gateway.")

    def save(self, layout: Layout) -> None:
        """Write the options to the file that the supervisor reads."""
        write_private(layout.options, json.dumps(asdict(self)))

    @classmethod
    def load(cls, layout: Layout) -> "Options":
        """Return the options of the last start."""
        return cls(**read_json(layout.options))  # type: ignore[arg-type]


def number_from_environment(variable: str, default: int) -> int:
    """Return the whole number in an environment variable.

    Raises:
        StackError: the variable is not a whole number.
    """
    text = os.environ.get(variable, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise StackError(f"{variable} must be a whole number, not {text!r}.") from None


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
