"""The catalogue of actions."""

from typing import Annotated

from fastapi import APIRouter, Path

from coinrequest.actions import catalogue
from coinrequest.api import problems
from coinrequest.api.models import ActionDetail, ActionList, ActionSummary
from coinrequest.api.rights import Reader

router = APIRouter(prefix="/v1/actions", tags=["Actions"])


@router.get("", summary="List the actions", responses=problems.documented())
def list_actions(
    user: Reader,
) -> ActionList:
    """All actions that tasks can call. An action is code, so adding one requires a deployment."""
    return ActionList(actions=[ActionSummary(**catalogue.summarise(action)) for action in catalogue.actions()])


@router.get("/{name}", summary="Read an action", responses=problems.documented(404, 422))
def read_action(user: Reader, name: Annotated[str, Path(examples=["url.test"])]) -> ActionDetail:
    """One action, with the JSON Schemas of its inputs and its result."""
    return ActionDetail(**catalogue.describe(catalogue.find_action(name)))
