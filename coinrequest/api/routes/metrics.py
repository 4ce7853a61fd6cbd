"""Metrics for a monitoring system."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from coinrequest.api import problems
from coinrequest.api.authentication import RequestSession, new_session
from coinrequest.api.rights import scraper
from coinrequest.metrics import snapshot
from coinrequest.metrics.prometheus import render
from coinrequest.single_flight import SingleFlight

router = APIRouter(tags=["Operations"])

_KEEP_RETAINED = 15.0
_TEXT: dict[str, Any] = {"schema": {"type": "string"}}


def _count_retained() -> Any:
    with new_session() as session:
        return snapshot.retained(session)


_retained = SingleFlight(_count_retained, keep=_KEEP_RETAINED, name="metrics")


@router.get(
    "/metrics",
    summary="Read the metrics",
    response_class=Response,
    dependencies=[Depends(scraper)],
    responses={
        200: {"description": "The metrics", "content": {"text/plain": _TEXT, "application/openmetrics-text": _TEXT}},
        **problems.documented(422),
    },
)
def read_metrics(
    session: RequestSession,
    accept: Annotated[str, Header(description="`application/openmetrics-text` for OpenMetrics")] = "",
) -> Response:
    """Prometheus metrics: jobs, queue times and durations by job type, notices, gateways.

    Requires a user who may read all job types, or the installation's metrics token as `Authorization: Bearer`.
    """
    # Started first, so that both queries run at the same time.
    retained = _retained.call()
    metrics = snapshot.take(session)
    text, media_type = render(metrics, retained.result(), accept)
    return Response(text, headers={"Content-Type": media_type})
