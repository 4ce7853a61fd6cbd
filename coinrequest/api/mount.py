"""Lazy imports of the REST API and of the middlewares around the web server (Airflow 3.3.2).

Every task process imports the plugin that mounts them; importing FastAPI would cost each of them 0.6 s (measured).
"""

import asyncio
import threading
from collections.abc import Callable

from coinrequest.airflow.api_server.asgi import Application, Receive, Scope, Send


def _create() -> Application:
    from coinrequest.api.application import create_app

    return create_app()


class LazyApplication:
    """An ASGI application that creates the real one at the first request.

    Args:
        create: returns the application; called in a thread, so that it does not block the event loop.
    """

    def __init__(self, create: Callable[[], Application] = _create) -> None:
        self._create = create
        self._application: Application | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        application = self._application
        if application is None:
            application = await asyncio.to_thread(self._load)
        await application(scope, receive, send)

    def _load(self) -> Application:
        with self._lock:
            if self._application is None:
                self._application = self._create()
            return self._application


application = LazyApplication()


def root_middleware(app: Application) -> Application:
    """Return `app` with the middlewares around it; Airflow calls this when its web server starts."""
    from coinrequest.airflow.api_server.request_slots import RequestSlotsMiddleware
    from coinrequest.airflow.api_server.security_middleware import protect
    from coinrequest.airflow.api_server.unstorable_values import UnstorableValuesMiddleware

    return protect(UnstorableValuesMiddleware(RequestSlotsMiddleware(app)))
