"""The body of a submission over REST and the channel; errors name every wrong field."""

import base64
import binascii
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
    ValidationError,
)

from coinrequest.errors import FieldError
from coinrequest.http.guard import configured_guard
from coinrequest.http.webhook_address import webhook_refusal
from coinrequest.jobs import submission
from coinrequest.jobs.callback import OUTCOMES, Outcome
from coinrequest.jobs.callback import Callback as JobCallback
from coinrequest.jobs.idempotency_keys import Key
from coinrequest.jobtypes.errors import ParamsInvalid
from coinrequest.jobtypes.grammar import ConnectionName
from coinrequest.jobtypes.labels import MAX_LABELS, LabelName, LabelValue
from coinrequest.jobtypes.messages import details_of, field_error
from coinrequest.times import start_within_bounds
from coinrequest.whole_numbers import WholeNumbers

# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix
_SECRET_BYTES = range(24, 65)

Body = TypeVar("Body", bound=BaseModel)


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("contains one twice")
    return values


def _signing_secret(secret: str) -> str:
    if secret.startswith(SECRET_PREFIX):
        try:
            size = len(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
        except (ValueError, binascii.Error):
            size = 0
        if size in _SECRET_BYTES:
            return secret
    raise ValueError(f"must be {SECRET_PREFIX} followed by 24 to 64 bytes in base64, as Standard Webhooks requires")


def _form_of_secret(value: object) -> str:
    return "<connection>" if isinstance(value, dict | ConnectionName) else "<text>"


class _Part(WholeNumbers):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Callback(_Part):
    """A webhook that is called when the job ends."""

    url: str = Field(max_length=2000, description="https; private addresses only if the administrator allows them")
    on: Annotated[list[Outcome], Field(min_length=1), AfterValidator(_distinct)] = Field(
        default=list(OUTCOMES), description="The outcomes that are reported; a cancelled job counts as a failure"
    )
    secret: (
        Annotated[
            Annotated[str, AfterValidator(_signing_secret), Tag("<text>")]
            | Annotated[ConnectionName, Tag("<connection>")],
            Discriminator(_form_of_secret),
        ]
        | None
    ) = Field(
        default=None,
        description="Signs the notice (Standard Webhooks): `whsec_...`, stored encrypted and never shown; or the "
        "Airflow connection that has it as its password",
        examples=[{"connection": "example_hook"}],
    )


class Idempotency(_Part):
    """How long the `Idempotency-Key` is valid."""

    free_on_failure: Annotated[bool, Strict()] = Field(
        default=False, description="Whether the key becomes free for another attempt when the job fails or is cancelled"
    )


class Submission(_Part):
    """What a job is started with."""

    params: dict[str, Any] = Field(
        default_factory=dict, description="Checked by the type's `params` schema; defaults are filled in"
    )
    priority: Annotated[int, Strict()] | None = Field(
        default=None, ge=1, le=1000, description="Of its tasks, larger is sooner; none: as defined by the job type"
    )
    run_after: Annotated[AwareDatetime, AfterValidator(start_within_bounds)] | None = Field(
        default=None,
        description="The earliest start, ISO 8601 with a zone, from the year 2000 to ten years ahead",
        examples=["2030-01-31T08:00:00+01:00"],
    )
    labels: dict[LabelName, LabelValue] = Field(
        default_factory=dict,
        max_length=MAX_LABELS,
        description="Names and values by which jobs can be listed, added to those of the definition; a name has "
        "letters, digits and `_./-`",
        examples=[{"team": "data"}],
    )
    callback: Callback | None = Field(default=None, description="The webhook that is called when the job ends")
    idempotency: Idempotency = Field(default=Idempotency(), description="Options of the header `Idempotency-Key`")


def read_body(document: dict[str, Any], model: type[Body]) -> Body:
    """Validate a document, and return it as the model.

    Raises:
        ParamsInvalid: it does not fit; all errors, with suggestions for unknown fields.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ParamsInvalid(field_error(detail, model) for detail in details_of(error, model)) from error


def read_submission(document: dict[str, Any], key: str | None) -> tuple[submission.Submission, Key | None]:
    """Return the submission in a document, and its idempotency key.

    Raises:
        ParamsInvalid: fields are wrong; all errors. The params are not checked.
    """
    body = read_body(document, Submission)
    errors = []
    callback = body.callback
    if callback and (refusal := webhook_refusal(callback.url, configured_guard())):
        errors.append(FieldError("callback.url", refusal))
    if body.idempotency.free_on_failure and key is None:
        errors.append(FieldError("idempotency", "needs the header Idempotency-Key"))
    if errors:
        raise ParamsInvalid(errors)
    asked = submission.Submission(
        params=body.params,
        priority=body.priority,
        run_after=body.run_after,
        labels=body.labels,
        callback=None if callback is None else _job_callback(callback),
    )
    return asked, None if key is None else Key(key, body.idempotency.free_on_failure)


def _job_callback(callback: Callback) -> JobCallback:
    secret = callback.secret
    return JobCallback(
        url=callback.url,
        on=tuple(callback.on),
        secret=secret if isinstance(secret, str) else None,
        secret_connection=secret.connection if isinstance(secret, ConnectionName) else None,
    )
