"""The REST service as one ASGI application."""

import logging
import uuid
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coinrequest import problem_details
from coinrequest.api import openapi, problems
from coinrequest.api.routes import (
    actions,
    agents,
    health,
    job_events,
    job_log,
    job_types,
    jobs,
    metrics,
    notices,
    revisions,
    url_jobs,
)

log = logging.getLogger(__name__)

_DESCRIPTION = """\
Register a job type, which is data, and it is a runnable Airflow DAG before the answer arrives; submit jobs of it,
and follow them.

Get a token from `POST /auth/token` with `{"username": ..., "password": ...}`, and send it as
`Authorization: Bearer <token>`. Viewer reads; User submits; Op and Admin change job types.
Every error is `application/problem+json` (RFC 9457) and names every field that is wrong.
"""


def create_app() -> FastAPI:
    """Return the application, to be mounted under /jobs in Airflow's API server."""
    app = FastAPI(
        title="Jobs",
        version="1",
        description=_DESCRIPTION,
        redirect_slashes=False,
        redoc_url=None,
        openapi_tags=[
            {"name": "Job types", "description": "Definitions: data that become DAGs"},
            {"name": "Jobs", "description": "Runs of job types"},
            {"name": "URL tests", "description": "Jobs of the type `url-test`, in short"},
            {"name": "Notices", "description": "Who was told that a job ended"},
            {"name": "Actions", "description": "What a task can call"},
            {"name": "Operations", "description": "The agents, and metrics for a monitoring system"},
            {"name": "Health", "description": "Whether the installation works"},
        ],
    )
    app.add_middleware(Faults)
    problems.install(app)
    app.add_exception_handler(job_events.NothingMore, job_events.nothing_more)
    openapi.install(app, problem_details.Problem)
    for module in (
        actions,
        job_types,
        revisions,
        jobs,
        job_events,
        job_log,
        url_jobs,
        notices,
        agents,
        metrics,
        health,
    ):
        app.include_router(module.router)
    return app


class Faults:
    """Answers an unexpected error with a reference to the log, and with nothing of its inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        started = False

        async def observed(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception:
            if scope["type"] != "http" or started:
                raise
            reference = uuid.uuid4().hex[:12]
            log.exception("Fault %s in %s %s", reference, scope["method"], scope["path"])
            answer: Any = problem_details.response(
                Request(scope), 500, f"A fault of the service; its log has the cause under {reference}"
            )
            await answer(scope, receive, send)
