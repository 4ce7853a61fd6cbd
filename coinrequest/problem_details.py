"""Problem details (RFC 9457): the form of every error over HTTP."""

import http
from collections.abc import Iterable, Mapping

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from coinrequest.errors import FieldError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5


class FieldProblem(BaseModel):
    """One thing that is wrong."""

    field: str = Field(description="Where it is; empty for the request as a whole", examples=["tasks[0].action"])
    message: str = Field(description="What is wrong, and the remedy", examples=["there is no action 'url.tset'"])


class Problem(BaseModel):
    """What every error looks like (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(default="about:blank", description="The kind of problem; its title and status say it all")
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What is wrong, for a person")
    instance: str = Field(description="The address that was asked", examples=["/jobs/v1/job-types"])
    errors: list[FieldProblem] = Field(description="Every field that is wrong; empty where no field is")


def response(
    request: Request,
    status: int,
    detail: str,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return one problem as a response."""
    problem = Problem(
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.scope.get("path", ""),
        errors=[FieldProblem(field=error.field, message=error.message) for error in errors],
    )
    return JSONResponse(problem.model_dump(), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def unavailable(request: Request, detail: str) -> JSONResponse:
    """Return the problem of a server behind this one that does not do its part."""
    return response(request, 503, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
