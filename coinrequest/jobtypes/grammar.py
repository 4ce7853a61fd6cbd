"""The grammar of definitions, as frozen models without unknown fields.

The models check each field on its own. Checks that need the whole document or other knowledge (references, the graph of
tasks, actions, time zones, cron) are in `checks`.
"""

import copy
import functools
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from coinrequest.durations import DURATION_PATTERN, DurationInvalid, format_duration, parse_duration
from coinrequest.jobtypes.labels import MAX_LABELS, LabelName, LabelValue
from coinrequest.jobtypes.references import Reference, has_braces, split
from coinrequest.jobtypes.suggestions import counted
from coinrequest.limits import MAX_ITEMS
from coinrequest.whole_numbers import WholeNumbers

MAX_TASKS = 100
MAX_RETRIES = 20
# Shorter than the visibility time-out, after which Redis gives a task to another agent (config/airflow.cfg).
LONGEST_TASK = timedelta(hours=24)
MAX_CRON = 200

NAME_PATTERN = r"^[a-z][a-z0-9_.-]{0,99}$"
TASK_ID_PATTERN = r"^[a-z][a-z0-9_-]{0,99}$"
OWNER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 _.@-]{0,99}$"
QUEUE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
CONNECTION_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$"

_AT_MOST = "begins with a letter, at most 100 characters"
PATTERNS_IN_WORDS = {
    NAME_PATTERN: f"lower-case letters, digits, '_', '.' and '-'; {_AT_MOST}",
    TASK_ID_PATTERN: f"lower-case letters, digits, '_' and '-'; {_AT_MOST}",
    OWNER_PATTERN: "letters, digits, spaces and '_.@-'; at most 100 characters",
    QUEUE_PATTERN: "letters, digits, '_', '.' and '-'; at most 100 characters",
    CONNECTION_PATTERN: "the name of a connection: letters, digits, '_', '.' and '-'; at most 200 characters",
    DURATION_PATTERN: "a duration such as 30s, 5m, 1h30m or 2d",
}


def _problem(message: str) -> PydanticCustomError:
    # Passed as a value, because pydantic would read braces in the text as placeholders.
    return PydanticCustomError("definition", "{message}", {"message": message})


def _no_double_dot(name: str) -> str:
    if ".." in name:
        raise _problem("a name cannot contain '..'")
    return name


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise _problem("must be a duration as text, such as 30s, 5m, 1h30m or 2d")
    try:
        return parse_duration(value)
    except DurationInvalid as error:
        raise _problem(str(error)) from None


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise _problem("must be longer than 0s")
    return value


def _plain_text(value: str) -> str:
    if has_braces(value):
        raise _problem("references work only in a task's inputs and for_each")
    return value


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise _problem(f"contains {repr(twice[0])[:200]} twice")
    return values


def _true(value: bool) -> bool:
    if not value:
        raise _problem("must be true")
    return value


def _webhook_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, user = parts.hostname, parts.username or parts.password
        parts.port  # noqa: B018  (validates the port)
    except ValueError:
        host = user = None
        parts = urlsplit("")
    # Whether http is allowed depends on the host and the installation; registration checks that.
    printable = value.isascii() and value.isprintable() and " " not in value
    if parts.scheme not in ("https", "http") or not host or not printable:
        raise _problem("must be an https URL, such as https://example.org/hook")
    if user:
        raise _problem("a URL cannot contain a user name or password; keep secrets in a connection")
    return value


def _items(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, str):
        # `checks` reports braces without a reference.
        parts = [part for part in split(value) if isinstance(part, str | Reference)]
        if len(parts) > 1 or isinstance(parts[0] if parts else None, str):
            raise _problem("must be a list, or a single reference to a list")
        return value
    if not isinstance(value, list | tuple):
        raise _problem("must be a list, or a reference to one, such as {{ params.urls }}")
    if not 1 <= len(value) <= MAX_ITEMS:
        remedy = "" if value else "; leave the task out, or refer to a list that may be empty, as in {{ params.urls }}"
        raise _problem(f"has {counted(len(value), 'item')}; it takes 1 to {MAX_ITEMS:,}{remedy}")
    return list(value)


def _at_most_a_day(value: timedelta) -> timedelta:
    if value > LONGEST_TASK:
        raise _problem("is longer than a task may take (24h); split the work into several tasks")
    return value


Name = Annotated[str, Field(pattern=NAME_PATTERN), AfterValidator(_no_double_dot)]
TaskId = Annotated[str, Field(pattern=TASK_ID_PATTERN)]
Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "5m", "1h30m", "2d"]}),
]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
TaskTimeout = Annotated[PositiveDuration, AfterValidator(_at_most_a_day)]
Items = Annotated[
    Any,
    PlainValidator(_items),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\{\{.*\}\}\s*$"},
                {"type": "array", "minItems": 1, "maxItems": MAX_ITEMS},
                {"type": "null"},
            ]
        }
    ),
]


T = TypeVar("T")
# A list in JSON, and a tuple here, so that the models are frozen.
Listed = Annotated[tuple[T, ...], Strict(False)]


class Part(WholeNumbers):
    """Base of the models: frozen, strict, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Schedule(Part):
    catch_up: bool = Field(default=False, description="Whether missed runs are made up for.")
    overlap: Literal["skip", "queue", "allow"] = Field(
        default="skip", description="What happens if the previous job has not ended when the next one is due."
    )


class CronSchedule(_Schedule):
    """Runs at the times of a cron expression in a time zone."""

    cron: str = Field(min_length=1, max_length=MAX_CRON, examples=["*/15 * * * *", "@daily"])
    timezone: str = Field(default="UTC", min_length=1, max_length=100, examples=["Europe/Dublin"])


class IntervalSchedule(_Schedule):
    """Runs once in every interval."""

    every: PositiveDuration


class AfterSchedule(Part):
    """Runs when a job of each of the named types has succeeded."""

    after: Annotated[Listed[Name], Field(min_length=1, max_length=20), AfterValidator(_distinct)]


def _tagged_by(*keys: str) -> Discriminator:
    """Choose a form by the field that is unique to it."""

    def tag(value: object) -> str | None:
        names = value if isinstance(value, Mapping) else vars(value) if isinstance(value, Part) else ()
        # The tag becomes part of the path in pydantic's errors; the brackets distinguish it from a field.
        return next((f"<{key}>" for key in keys if key in names), None)

    return Discriminator(
        tag,
        custom_error_type="form",
        custom_error_message=f"must be an object with one of the fields {', '.join(keys)}",
    )


Schedule = Annotated[
    Annotated[CronSchedule, Tag("<cron>")]
    | Annotated[IntervalSchedule, Tag("<every>")]
    | Annotated[AfterSchedule, Tag("<after>")],
    _tagged_by("cron", "every", "after"),
]


class Retries(Part):
    """How often a task is retried, and after which delay."""

    max: int = Field(ge=0, le=MAX_RETRIES)
    delay: Duration = Field(default=timedelta(seconds=5), validate_default=False)
    backoff: Literal["fixed", "exponential"] = "fixed"


class Task(Part):
    """One call of an action."""

    id: TaskId
    action: str = Field(min_length=1, max_length=100, examples=["coin.prices"])
    inputs: dict[str, Any] = Field(default_factory=dict, description="The action's inputs, with references.")
    depends_on: Annotated[Listed[TaskId], Field(max_length=MAX_TASKS), AfterValidator(_distinct)] = ()
    for_each: Items = Field(default=None, description="Run the task once for each item of a list.")
    when: Literal["success", "always"] = Field(
        default="success", description="`always`: run it when all that it depends on has ended, even if that failed."
    )
    retries: Retries | None = None
    timeout: TaskTimeout | None = None
    queue: str | None = Field(default=None, pattern=QUEUE_PATTERN)
    pool: str | None = Field(default=None, pattern=QUEUE_PATTERN)


class Concurrency(Part):
    """Limits how many jobs of the type run at once."""

    max_jobs: int = Field(ge=1, le=1000)


class ConnectionName(Part):
    """The name of an Airflow connection that has the secret."""

    connection: str = Field(pattern=CONNECTION_PATTERN)


class _Notify(Part):
    on: Annotated[Listed[Literal["success", "failure"]], Field(min_length=1), AfterValidator(_distinct)]


class WebhookNotify(_Notify):
    """Posts to a URL when a job ends, with a signature if a secret is given."""

    webhook: Annotated[str, Field(max_length=2000), AfterValidator(_plain_text), AfterValidator(_webhook_url)]
    secret: ConnectionName | None = None


class AppriseNotify(_Notify):
    """Sends an e-mail or a chat message through a connection when a job ends."""

    apprise: ConnectionName


class ChannelNotify(_Notify):
    """Publishes to the result channel when a job ends."""

    channel: Annotated[bool, AfterValidator(_true), WithJsonSchema({"const": True})]


Notify = Annotated[
    Annotated[WebhookNotify, Tag("<webhook>")]
    | Annotated[AppriseNotify, Tag("<apprise>")]
    | Annotated[ChannelNotify, Tag("<channel>")],
    _tagged_by("webhook", "apprise", "channel"),
]


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class Definition(Part):
    """A job type: tasks, each of which calls an action, and when and how they run."""

    name: Name = Field(description="The name of the type, which is also the id of its DAG.", examples=["btc-report"])
    description: Annotated[str, AfterValidator(_plain_text)] = Field(default="", max_length=4000)
    owner: str = Field(default="coinrequest", pattern=OWNER_PATTERN)
    tags: Annotated[
        Listed[Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain_text)]],
        Field(max_length=20),
        AfterValidator(_distinct),
    ] = ()
    labels: dict[LabelName, Annotated[LabelValue, AfterValidator(_plain_text)]] = Field(
        default_factory=dict, max_length=MAX_LABELS, description="Labels of every job; a submission adds and overrides."
    )
    schedule: Schedule | None = None
    params: dict[str, Any] | None = Field(default=None, description="JSON Schema (draft 2020-12) of a job's params.")
    tasks: Annotated[Listed[Task], Field(min_length=1, max_length=MAX_TASKS)]
    result: str = Field(
        default="",
        description="The task whose output is the job's result; the last task by default.",
        json_schema_extra=_without_default,
    )
    timeout: PositiveDuration | None = None
    concurrency: Concurrency | None = None
    priority: int = Field(default=1, ge=1, le=1000, description="Larger is sooner.")
    notify: Annotated[Listed[Notify], Field(max_length=20)] = ()

    @model_validator(mode="before")
    @classmethod
    def _result_is_the_last_task(cls, document: Any) -> Any:
        if not isinstance(document, Mapping):
            return document
        if document.get("result") is not None:
            return dict(document)
        match document.get("tasks"):
            case [*_, {"id": str(last)}]:
                return {**document, "result": last}
        return {**document, "result": ""}


@functools.cache
def _schema() -> dict[str, Any]:
    return Definition.model_json_schema(mode="validation")


def definition_schema() -> dict[str, Any]:
    """Return the JSON Schema of definitions, for the API's documentation."""
    return copy.deepcopy(_schema())
