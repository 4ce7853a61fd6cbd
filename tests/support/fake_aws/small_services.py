"""Single calls that services of moto lack: the provider reads the tags of everything, and who a budget tells."""

import json
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.budgets.responses import BudgetsResponse

# Of budgets, by ARN.
_tags: dict[str, list[dict[str, Any]]] = {}
_create = BudgetsResponse.create_budget


def install() -> None:
    """Add the calls."""
    ApplicationAutoScalingResponse.list_tags_for_resource = _no_tags
    ApplicationAutoScalingResponse.tag_resource = _nothing
    BudgetsResponse.create_budget = _create_budget
    BudgetsResponse.list_tags_for_resource = _budget_tags
    BudgetsResponse.describe_subscribers_for_notification = _subscribers


def _nothing(_: object) -> str:
    return json.dumps({})


def _no_tags(_: object) -> str:
    return json.dumps({"Tags": {}})


def _create_budget(self: BudgetsResponse) -> str:
    answer = _create(self)
    arn = f"arn:aws:budgets::{self._get_param('AccountId')}:budget/{self._get_param('Budget')['BudgetName']}"
    _tags[arn] = self._get_param("ResourceTags", [])
    return answer


def _budget_tags(self: BudgetsResponse) -> str:
    return json.dumps({"ResourceTags": _tags.get(self._get_param("ResourceARN"), [])})


def _subscribers(self: BudgetsResponse) -> str:
    account, name, wanted = (self._get_param(key) for key in ("AccountId", "BudgetName", "Notification"))
    told = [one for one in self.backend.budgets[account][name].notifications if _same(one.details, wanted)]
    return json.dumps({"Subscribers": [subscriber for one in told for subscriber in one.subscribers]})


def _same(one: dict[str, object], other: dict[str, object]) -> bool:
    keys = ("NotificationType", "ComparisonOperator", "Threshold")
    return all(str(one.get(key)) == str(other.get(key)) for key in keys)
