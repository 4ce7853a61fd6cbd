"""Errors as problem details (RFC 9457), each with the fields that are wrong."""

import http
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import exc as database
from starlette.exceptions import HTTPException

from coinrequest.actions.catalogue import UnknownAction
from coinrequest.airflow.api_server.rights import Forbidden
from coinrequest.airflow.task_logs import LogUnknown
from coinrequest.api.authentication import Unauthenticated
from coinrequest.database.errors import is_transient, sqlstate
from coinrequest.errors import FieldError, FieldErrors, field_path
from coinrequest.generator.lifecycle import (
    JobsActive,
    JobTypeExists,
    JobTypeUnknown,
    RevisionChanged,
    RevisionUnknown,
)
from coinrequest.generator.publishing import PublishingFailed
from coinrequest.jobs.errors import JobDone, JobNotFailed, JobTypeGone, JobTypePaused, JobUnknown, KeyReused
from coinrequest.jobtypes.errors import DocumentTooLarge, MediaTypeUnsupported
from coinrequest.jobtypes.registry import RevisionDamaged
from coinrequest.notices.delivery_log import NoticeUnknown
from coinrequest.problem_details import MEDIA_TYPE, FieldProblem, Problem, response, unavailable
from coinrequest.settings import SettingInvalid, SettingMissing

_STATUS: Mapping[type[Exception], int] = {
    Forbidden: 403,
    JobTypeUnknown: 404,
    RevisionUnknown: 404,
    JobUnknown: 404,
    NoticeUnknown: 404,
    LogUnknown: 404,
    UnknownAction: 404,
    JobTypeExists: 409,
    JobsActive: 409,
    JobTypePaused: 409,
    KeyReused: 409,
    JobDone: 409,
    JobTypeGone: 409,
    JobNotFailed: 409,
    RevisionDamaged: 409,
    RevisionChanged: 412,
    MediaTypeUnsupported: 415,
    PublishingFailed: 422,
    SettingInvalid: 500,
    SettingMissing: 500,
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the errors that a route answers, beside those that all do."""
    return {status: _description(status) for status in sorted({*statuses, 401, 403, 500, 503})}


def install(app: FastAPI) -> None:
    """Let every error of `app` be a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(FieldErrors, _fields)
    app.add_exception_handler(Unauthenticated, _unauthenticated)
    for kind in _STATUS:
        app.add_exception_handler(kind, _domain)
    for kind in (database.StatementError, database.TimeoutError):
        app.add_exception_handler(kind, _database)


def _http(request: Request, error: Any) -> JSONResponse:
    details = {404: "There is nothing at this address; see /jobs/docs", 405: "This address has other methods"}
    plain = error.detail == http.HTTPStatus(error.status_code).phrase
    detail = details.get(error.status_code, error.detail) if plain else str(error.detail)
    return response(request, error.status_code, detail, headers=error.headers)


def _validation(request: Request, error: Any) -> JSONResponse:
    """FastAPI's own validation of path, query and headers: name the parameter as the caller wrote it."""
    errors = [
        FieldError(field_path(entry["loc"][1:]), entry["msg"].removeprefix("Value error, ")) for entry in error.errors()
    ]
    # What a check of rights reads too, FastAPI names twice.
    return response(request, 422, "The request does not fit", dict.fromkeys(errors))


def _fields(request: Request, error: Any) -> JSONResponse:
    if isinstance(error, DocumentTooLarge):
        return response(request, 413, str(error), error.errors)
    count = len(error.errors)
    detail = str(error.errors[0]) if count == 1 else f"{count} fields are wrong"
    return response(request, 422, detail, error.errors)


def _unauthenticated(request: Request, error: Exception) -> JSONResponse:
    return response(
        request,
        401,
        f"{error}. Get a token from POST /auth/token, and send it as Authorization: Bearer",
        headers={"WWW-Authenticate": 'Bearer realm="jobs"'},
    )


def _domain(request: Request, error: Exception) -> JSONResponse:
    status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    errors = [FieldError("", str(error))] if status == 422 else []
    return response(request, status, str(error), errors)


def _database(request: Request, error: Any) -> JSONResponse:
    """Say whether the database is in trouble or the request is; anything else is a fault of ours."""
    if is_transient(error):
        return _unavailable(request, error)
    # What PostgreSQL refuses to store or finds too large, or what no driver can write.
    values = isinstance(error, database.DataError | database.OperationalError)
    if values or isinstance(getattr(error, "orig", None), ValueError | OverflowError):
        return response(request, 422, "A value in the request cannot be stored")
    raise error


def _unavailable(request: Request, error: Exception) -> JSONResponse:
    what = _STATES.get(sqlstate(error) or "", "The database cannot be reached")
    return unavailable(request, f"{what}; nothing was changed, repeat the request")


# What PostgreSQL says of itself (PostgreSQL's manual, appendix A), where it is no matter of one request.
_STATES: Mapping[str, str] = {
    "25006": "The database takes no changes",
    "53100": "The database has no room left on its disk",
    "53200": "The database has no memory left",
    "53300": "The database takes no more connections",
    "55P03": "Other changes of the same things take too long",
}


_DESCRIPTIONS = {
    401: "No valid token",
    403: "The role does not allow it",
    404: "Unknown",
    405: "Another method is needed",
    409: "In conflict with what exists; the detail names the way out",
    412: "`If-Match` names a revision that is not current",
    413: "Larger than is accepted; the detail names the limit",
    415: "Neither JSON nor YAML",
    422: "Fields are wrong; all of them are named",
    500: "A fault of the service; the log has the cause under the reference in the detail",
    503: "The database cannot be reached; repeat later",
}


def _description(status: int) -> dict[str, Any]:
    example = Problem(
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=_DESCRIPTIONS[status],
        instance="/jobs/v1/job-types",
        errors=[FieldProblem(field="tasks[0].action", message="there is no action 'url.tset'")]
        if status == 422
        else [],
    )
    described: dict[str, Any] = {
        "description": _DESCRIPTIONS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example.model_dump()}},
    }
    if status == 401:
        described["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status == 503:
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
    return described
