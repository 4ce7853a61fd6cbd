"""Exception handlers that answer every error as problem details (RFC 9457)."""

import http
from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic_core import ErrorDetails
from sqlalchemy import exc as database
from starlette.exceptions import HTTPException

from coinrequest.actions.catalogue import UnknownAction
from coinrequest.airflow import dag_search
from coinrequest.airflow.api_server.rights import READ, Forbidden
from coinrequest.airflow.task_logs import LogUnknown
from coinrequest.api import addresses
from coinrequest.api.authentication import Unauthenticated, new_session
from coinrequest.database.errors import is_transient, sqlstate
from coinrequest.errors import FieldError, FieldErrors
from coinrequest.generator.lifecycle import (
    JobsActive,
    JobTypeExists,
    JobTypeFollowed,
    JobTypeUnknown,
    RevisionChanged,
    RevisionUnknown,
)
from coinrequest.generator.publishing import PublishingFailed
from coinrequest.jobs.errors import JobDone, JobNotFailed, JobTypeGone, JobTypePaused, JobUnknown, KeyReused
from coinrequest.jobtypes.errors import DocumentTooLarge, MediaTypeUnsupported
from coinrequest.jobtypes.messages import field_error
from coinrequest.jobtypes.registry import RevisionDamaged
from coinrequest.jobtypes.suggestions import nearest, quoted
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
    JobTypeFollowed: 409,
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
    """Return the OpenAPI description of the errors of a route; those of all routes are included."""
    return {status: _description(status) for status in sorted({*statuses, 401, 403, 422, 500, 503})}


def install(app: FastAPI) -> None:
    """Make `app` answer every error as a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(FieldErrors, _fields)
    app.add_exception_handler(Unauthenticated, _unauthenticated)
    for kind in _STATUS:
        app.add_exception_handler(kind, _domain)
    app.add_exception_handler(JobTypeUnknown, _unknown_type)
    for kind in (database.StatementError, database.TimeoutError):
        app.add_exception_handler(kind, _database)


def _http(request: Request, error: Any) -> JSONResponse:
    detail, headers = str(error.detail), error.headers
    if error.status_code == 404 and detail == http.HTTPStatus.NOT_FOUND.phrase:
        meant = addresses.nearest_address(request)
        path = quoted(str(request.scope["path"]), 200)
        remedy = f"did you mean {meant}?" if meant else "/jobs/docs lists all"
        empty = "it has nothing between two slashes; " if "//" in path and not meant else ""
        detail = f"There is no address {path}; {empty}{remedy}"
    elif error.status_code == 405:
        methods = addresses.methods_of(request)
        detail = f"This address takes {' and '.join(methods)}, not {request.method}"
        headers = {"Allow": ", ".join(methods)}
    return response(request, error.status_code, detail, headers=headers)


def _validation(request: Request, error: Any) -> JSONResponse:
    """Answer the errors of FastAPI's own validation of path, query and headers."""
    found = [cast(ErrorDetails, {**entry, "loc": _place(request, entry["loc"])}) for entry in error.errors()]
    # FastAPI reports a parameter twice if a check of rights reads it too.
    errors = dict.fromkeys(field_error(entry, BaseModel) for entry in found)
    return response(request, 422, _summary(list(errors)), errors)


def _place(request: Request, path: Sequence[str | int]) -> Sequence[str | int]:
    """Return the path of a parameter, without an index if it was given once."""
    kind, name, *inside = path
    once = kind == "query" and len(request.query_params.getlist(str(name))) == 1
    return (name,) if once else (name, *inside)


def _fields(request: Request, error: Any) -> JSONResponse:
    if isinstance(error, DocumentTooLarge):
        return response(request, 413, str(error), error.errors)
    return response(request, 422, _summary(error.errors), error.errors)


def _summary(errors: Sequence[FieldError]) -> str:
    return str(errors[0]) if len(errors) == 1 else f"{len(errors)} fields are wrong; `errors` lists them"


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


def _unknown_type(request: Request, error: Exception) -> JSONResponse:
    """Answer 404 with the most similar name that the user may see."""
    name, user = request.path_params.get("name"), getattr(request.state, "user", None)
    detail = str(error)
    if user is not None and detail == f"No job type {name!r}":
        with new_session() as session:
            match = nearest(str(name), dag_search.known_names(session, READ.names(user)))
        detail += f"; did you mean {match!r}?" if match else ""
    return response(request, 404, detail)


def _database(request: Request, error: Any) -> JSONResponse:
    """Answer 503 if the database has a problem, 422 if a value does; other errors are internal."""
    if is_transient(error):
        return _unavailable(request, error)
    # PostgreSQL refuses the value or finds it too large, or the driver cannot encode it.
    values = isinstance(error, database.DataError | database.OperationalError)
    if values or isinstance(getattr(error, "orig", None), ValueError | OverflowError):
        return response(request, 422, "A value in the request cannot be stored")
    raise error


def _unavailable(request: Request, error: Exception) -> JSONResponse:
    reason = _UNAVAILABLE.get(sqlstate(error) or "", "The database cannot be reached")
    return unavailable(request, f"{reason}; nothing was changed, repeat the request")


# SQLSTATE codes for problems of the server rather than of the request (PostgreSQL's manual, appendix A).
_UNAVAILABLE: Mapping[str, str] = {
    "25006": "The database is read-only",
    "53100": "The disk of the database is full",
    "53200": "The database is out of memory",
    "53300": "The database accepts no more connections",
    "55P03": "Concurrent changes to the same rows take too long",
}


_DESCRIPTIONS = {
    401: "No valid token",
    403: "The user's roles do not allow it",
    404: "Not found",
    405: "Another method; `Allow` has those of this address",
    409: "Conflict with the current state; the detail names the remedy",
    412: "`If-Match` names a revision that is not current",
    413: "Too large; the detail names the limit",
    415: "Neither JSON nor YAML",
    422: "Invalid; `errors` has every field that is wrong",
    500: "Internal error; the log has the cause under the reference in the detail",
    503: "The database is unavailable; retry later",
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
