"""Auto scaling: settings that moto forgets, notifications of failures, and instance refreshes, which are over at once.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, FakeScalingPolicy, LifecycleHook
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

# By the name of the group: the topic of each kind of event, and the refreshes, the newest first.
_topics: dict[str, dict[str, str]] = {}
_refreshes: dict[str, list[dict[str, Any]]] = {}

# What a group is created or changed with beyond what moto keeps: the parameter, and the attribute that is answered.
_SETTINGS = {
    "DefaultInstanceWarmup": "default_instance_warmup",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
    "MaxInstanceLifetime": "max_instance_lifetime",
}
_create_group = AutoScalingResponse.create_auto_scaling_group
_update_group = AutoScalingResponse.update_auto_scaling_group
_init_hook = LifecycleHook.__init__
_init_policy = FakeScalingPolicy.__init__


def install() -> None:
    """Add and mend the calls."""
    # What AWS answers where nobody asked for anything else.
    FakeScalingPolicy.enabled = True
    FakeAutoScalingGroup.capacity_reservation_specification = {"CapacityReservationPreference": "default"}
    FakeScalingPolicy.__init__ = _policy_without_forecast
    LifecycleHook.__init__ = _hook_without_topic
    for call in (
        create_auto_scaling_group,
        update_auto_scaling_group,
        put_notification_configuration,
        describe_notification_configurations,
        delete_notification_configuration,
        start_instance_refresh,
        describe_instance_refreshes,
    ):
        setattr(AutoScalingResponse, call.__name__, call)


def create_auto_scaling_group(self: AutoScalingResponse) -> EmptyResult:
    """CreateAutoScalingGroup."""
    answer = _create_group(self)
    _keep_settings(self)
    return answer


def update_auto_scaling_group(self: AutoScalingResponse) -> EmptyResult:
    """UpdateAutoScalingGroup."""
    answer = _update_group(self)
    _keep_settings(self)
    return answer


def _keep_settings(self: AutoScalingResponse) -> None:
    group: FakeAutoScalingGroup = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    for parameter, attribute in _SETTINGS.items():
        value = self._get_param(parameter)
        if value is not None:
            setattr(group, attribute, value)


def _hook_without_topic(self: LifecycleHook, *words: Any, **values: Any) -> None:
    """A hook that tells nobody has neither a role nor a topic; moto invents both."""
    _init_hook(self, *words, **values)
    self.role_arn = self.notification_target_arn = None


def _policy_without_forecast(self: FakeScalingPolicy, *words: Any, **values: Any) -> None:
    """A policy that forecasts nothing has no settings for that; moto answers with empty ones."""
    _init_policy(self, *words, **values)
    self.predictive_scaling_configuration = self.predictive_scaling_configuration or None


def put_notification_configuration(self: AutoScalingResponse) -> EmptyResult:
    """PutNotificationConfiguration: these kinds of events to this topic, and no others to it."""
    group, topic = self._get_param("AutoScalingGroupName"), self._get_param("TopicARN")
    others = {kind: to for kind, to in _topics.get(group, {}).items() if to != topic}
    _topics[group] = others | dict.fromkeys(self._get_param("NotificationTypes", []), topic)
    return EmptyResult()


def describe_notification_configurations(self: AutoScalingResponse) -> ActionResult:
    """DescribeNotificationConfigurations."""
    groups = self._get_param("AutoScalingGroupNames", []) or list(_topics)
    configurations = [
        {"AutoScalingGroupName": group, "NotificationType": kind, "TopicARN": topic}
        for group in groups
        for kind, topic in _topics.get(group, {}).items()
    ]
    return ActionResult({"NotificationConfigurations": configurations})


def delete_notification_configuration(self: AutoScalingResponse) -> EmptyResult:
    """DeleteNotificationConfiguration."""
    group, topic = self._get_param("AutoScalingGroupName"), self._get_param("TopicARN")
    _topics[group] = {kind: to for kind, to in _topics.get(group, {}).items() if to != topic}
    return EmptyResult()


def start_instance_refresh(self: AutoScalingResponse) -> ActionResult:
    """StartInstanceRefresh."""
    group, now = self._get_param("AutoScalingGroupName"), datetime.now(UTC)
    refresh = {
        "InstanceRefreshId": str(uuid.uuid4()),
        "AutoScalingGroupName": group,
        "Status": "Successful",
        "PercentageComplete": 100,
        "StartTime": now,
        "EndTime": now,
    }
    _refreshes.setdefault(group, []).insert(0, refresh)
    return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})


def describe_instance_refreshes(self: AutoScalingResponse) -> ActionResult:
    """DescribeInstanceRefreshes."""
    wanted = self._get_param("InstanceRefreshIds", [])
    found = _refreshes.get(self._get_param("AutoScalingGroupName"), [])
    return ActionResult(
        {"InstanceRefreshes": [one for one in found if not wanted or one["InstanceRefreshId"] in wanted]}
    )
