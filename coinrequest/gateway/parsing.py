"""Parses job messages by the strict rules of the REST API, so that a refusal names every field."""

import json
from typing import Any
from uuid import UUID

from coinrequest.errors import FieldError, FieldErrors
from coinrequest.gateway.outcomes import MessageRefused
from coinrequest.jobs.submission import Order, Submission
from coinrequest.jobs.submission_body import read_submission
from coinrequest.jobtypes.document import ESCAPED, load_document
from coinrequest.jobtypes.params import MAX_PARAMS_BYTES
from coinrequest.jobtypes.suggestions import hint, quoted

# The params and everything else, white space included; as for REST.
MAX_MESSAGE_BYTES = MAX_PARAMS_BYTES + 16 * 1024
# As it is sent: publishers may escape all its text.
MAX_SENT_BYTES = MAX_MESSAGE_BYTES * ESCAPED

_SHORT = ("job_id", "job_payload")
_OPTIONS = ("params", "priority", "run_after", "labels", "callback")
_FULL = ("job_id", "job_type", *_OPTIONS)
# Publishers that do not set the type send one of these.
_CONTENT_TYPES = ("", "application/json", "text/plain", "application/data", "application/octet-stream")


def parse_message(body: bytes, content_type: str | None = None) -> Order:
    """Return the job that a message requests.

    There are two forms: `{"job_id", "job_payload": {"type", ...}}`, in which all other fields of the payload are
    params, and `{"job_id", "job_type", "params", "priority", "run_after", "labels", "callback"}`. The params are not
    checked here.

    Args:
        body: JSON in UTF-8, as it was sent.
        content_type: the type that the publisher set.

    Raises:
        MessageRefused: the message has neither form.
    """
    if (content_type or "").partition(";")[0].strip().lower() not in _CONTENT_TYPES:
        reason = f"the content type {quoted(str(content_type))} is not accepted; send application/json"
        raise MessageRefused(reason, _id_in(body))
    try:
        document = load_document(body, None, MAX_MESSAGE_BYTES)
    except FieldErrors as unreadable:
        reason = "; ".join(str(error) if error.field else f"the message {error}" for error in unreadable.errors)
        raise MessageRefused(reason, _id_in(body)) from None
    job_id = _job_id(document.get("job_id"))
    job_type, options, errors = _split(document)
    if job_id is None:
        errors.insert(0, _missing_or_bad("job_id", document, "a UUID such as 7b0d1c2e-3f4a-4b5c-8d6e-9f0a1b2c3d4e"))
    try:
        submission, _ = read_submission(options, None)
    except FieldErrors as wrong:
        errors += wrong.errors
        submission = Submission()
    if submission.callback and submission.callback.secret_connection is not None:
        # A publisher is not a user, so there is no right to read connections that could be checked, as REST does.
        errors.append(FieldError("callback.secret", "a message may not name a connection; send the secret (whsec_...)"))
    if errors or job_id is None or job_type is None:
        raise MessageRefused(reason_of(FieldErrors(errors)), job_id, job_type)
    return Order(job_id, job_type, submission)


def reason_of(errors: FieldErrors) -> str:
    """Return all errors in one line."""
    return "; ".join(map(str, errors.errors))


def _id_in(body: bytes) -> UUID | None:
    """Return the id in a message that is refused as a whole, so that its publisher, who waits for it, gets the answer.

    This reads what the strict rules refuse: a NUL character, a field that is there twice, NaN, a number of any length.
    """
    try:
        document = json.loads(body, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return _job_id(document.get("job_id")) if isinstance(document, dict) else None


def _job_id(value: object) -> UUID | None:
    """Return a UUID in the form of RFC 9562, section 4; `uuid.UUID` accepts many others."""
    if not isinstance(value, str):
        return None
    try:
        found = UUID(value)
    except ValueError:
        return None
    return found if str(found) == value.lower() else None


def _split(document: dict[str, Any]) -> tuple[str | None, dict[str, Any], list[FieldError]]:
    """Return the job type, the other fields as in a REST submission, and the errors."""
    short = "job_payload" in document and "job_type" not in document
    known = _SHORT if short else _FULL
    errors = [
        FieldError(name, f"there is no field {quoted(name)}{hint(name, known)}")
        for name in document
        if name not in known
    ]
    if not short:
        job_type = document.get("job_type")
        if not isinstance(job_type, str) or not job_type:
            errors.append(_missing_or_bad("job_type", document, "the name of a job type"))
        options = {name: document[name] for name in _OPTIONS if name in document}
        return (job_type if isinstance(job_type, str) else None), options, errors
    payload = document["job_payload"]
    if not isinstance(payload, dict):
        errors.append(FieldError("job_payload", "must be an object with fields"))
        return None, {}, errors
    job_type = payload.get("type")
    if not isinstance(job_type, str) or not job_type:
        errors.append(_missing_or_bad("type", payload, "the name of a job type", "job_payload."))
        job_type = None
    return job_type, {"params": {name: value for name, value in payload.items() if name != "type"}}, errors


def _missing_or_bad(name: str, document: dict[str, Any], what: str, prefix: str = "") -> FieldError:
    return FieldError(prefix + name, f"must be {what}" if name in document else "is required")
