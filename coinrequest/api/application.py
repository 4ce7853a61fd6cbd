"""The REST API as an ASGI application."""

import logging
import uuid
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coinrequest import problem_details
from coinrequest.api import ignored, openapi, problems
from coinrequest.api.head import HeadMiddleware
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
Register a job type as data, and it is a runnable Airflow DAG before the response arrives. Then submit jobs of it and
follow them.

Get a token from `POST /auth/token` with `{"username": ..., "password": ...}`, and send it as
`Authorization: Bearer <token>`. Viewer may read, User may also submit jobs, Op and Admin may also change job types.
Every error is `application/problem+json` (RFC 9457) and names every field that is wrong.
"""


def create_app() -> FastAPI:
    """Return the application, which Airflow's API server mounts at /jobs."""
    app = FastAPI(
        title="Jobs",
        version="1",
        description=_DESCRIPTION,
        redirect_slashes=False,
        redoc_url=None,
        openapi_tags=[
            {"name": "Job types", "description": "Definitions, which become DAGs"},
            {"name": "Jobs", "description": "Runs of job types"},
            {"name": "URL tests", "description": "Shortcuts for jobs of the type `url-test`"},
            {"name": "Notices", "description": "Messages about jobs that ended, and their deliveries"},
            {"name": "Actions", "description": "The operations that tasks can call"},
            {"name": "Operations", "description": "Agents and metrics"},
            {"name": "Health", "description": "The state of the installation"},
        ],
    )
    app.add_middleware(InternalErrorMiddleware)
    app.add_middleware(HeadMiddleware)
    problems.install(app)
    app.add_exception_handler(job_events.NoMoreEvents, job_events.no_more_events)
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
    # Monitors add parameters of their own against caches, and there are none to misspell.
    ignored.install(app, lenient=(*metrics.router.routes, *health.router.routes))
    return app


class InternalErrorMiddleware:
    """ASGI middleware that answers an unexpected error with a reference to the log, and without its text."""

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
            log.exception("Internal error %s in %s %s", reference, scope["method"], scope["path"])
            answer: Any = problem_details.response(
                Request(scope), 500, f"Internal error; the server's log has the cause under {reference}"
            )
            await answer(scope, receive, send)
