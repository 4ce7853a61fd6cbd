"""The health of the installation."""

from fastapi import APIRouter

from coinrequest.api import problems
from coinrequest.api.authentication import MaybeUser
from coinrequest.api.health import check
from coinrequest.api.models import HealthReport

router = APIRouter(tags=["Health"])


@router.get("/v1/health", summary="Read the health", responses=problems.documented())
async def read_health(user: MaybeUser) -> HealthReport:
    """The overall state for anyone; the components only for users who are signed in."""
    report = await check()
    return report if user is not None else report.model_copy(update={"components": None})
