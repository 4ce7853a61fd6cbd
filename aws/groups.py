"""The auto scaling groups: their instances, the images of these, and the instance refresh under way."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws.account import client
from aws.installation import REPOSITORY

_TAG = re.compile(rf"/{REPOSITORY}:([\w][\w.-]*)")
_UNDER_WAY = {"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"}
_SUCCESSFUL = "Successful"


@dataclass(frozen=True)
class Refresh:
    """An instance refresh: AWS replaces the instances of a group.

    Args:
        id: AWS's id.
        status: `InProgress`, `Baking`, `Successful`, `RollbackSuccessful`, ...
        percent: how much of it is done; None: AWS does not say.
        reason: why it ended so, or what it waits for.
    """

    id: str
    status: str
    percent: int | None = None
    reason: str = ""

    @property
    def under_way(self) -> bool:
        """Whether it has not ended."""
        return self.status in _UNDER_WAY

    @property
    def done(self) -> bool:
        """Whether it succeeded."""
        return self.status == _SUCCESSFUL

    @property
    def failed(self) -> bool:
        """Whether it ended without success."""
        return not self.under_way and not self.done


@dataclass(frozen=True)
class Group:
    """The group of one role.

    Args:
        role: `web`, `agent`, ...
        name: of the group.
        minimum, desired, maximum: numbers of instances.
        working: instances that are healthy and in service.
        outdated: of these, instances of another version of the launch template than the group's.
        images: the tags that the working instances run, with the number of instances.
        refresh: the newest one; None: there was none in the last weeks.
    """

    role: str
    name: str
    minimum: int
    desired: int
    maximum: int
    working: int
    outdated: int
    images: Mapping[str, int]
    refresh: Refresh | None


def read(names: Mapping[str, str]) -> list[Group]:
    """Return the groups that exist.

    Args:
        names: of the group of each role, as in Terraform's output `groups`.
    """
    if not names:
        return []
    autoscaling = client("autoscaling")
    pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
        AutoScalingGroupNames=sorted(names.values())
    )
    found = {group["AutoScalingGroupName"]: group for page in pages for group in page["AutoScalingGroups"]}
    return [_group(autoscaling, role, found[name]) for role, name in sorted(names.items()) if name in found]


def newest_refresh(autoscaling: Any, group: str) -> Refresh | None:
    """Return the newest instance refresh of a group; None if there is none."""
    found = autoscaling.describe_instance_refreshes(AutoScalingGroupName=group, MaxRecords=1)["InstanceRefreshes"]
    return parse_refresh(found[0]) if found else None


def parse_refresh(answer: Mapping[str, Any]) -> Refresh:
    """Return an instance refresh as AWS describes it."""
    return Refresh(
        answer["InstanceRefreshId"], answer["Status"], answer.get("PercentageComplete"), answer.get("StatusReason", "")
    )


def newest_activity(group: str) -> str:
    """Return the last scaling activity of a group and its outcome, in AWS's words."""
    found = client("autoscaling").describe_scaling_activities(AutoScalingGroupName=group, MaxRecords=1)["Activities"]
    if not found:
        return "none yet"
    parts = (found[0].get(key, "") for key in ("StatusCode", "Description", "StatusMessage"))
    return ": ".join(part for part in parts if part)


def _group(autoscaling: Any, role: str, group: Mapping[str, Any]) -> Group:
    instances = group["Instances"]
    working = [one for one in instances if one["LifecycleState"] == "InService" and one["HealthStatus"] == "Healthy"]
    return Group(
        role=role,
        name=group["AutoScalingGroupName"],
        minimum=group["MinSize"],
        desired=group["DesiredCapacity"],
        maximum=group["MaxSize"],
        working=len(working),
        outdated=sum(_template(one) != _template(group) for one in working),
        images=_images(working),
        refresh=newest_refresh(autoscaling, group["AutoScalingGroupName"]),
    )


def _images(instances: list[Any]) -> Mapping[str, int]:
    """Return the tags; the description of each version of the launch template names its image."""
    counts: Counter[str] = Counter()
    for template, count in Counter(_template(one) for one in instances).items():
        counts[_tag_of(*template)] += count
    return dict(counts)


def _template(of: Mapping[str, Any]) -> tuple[str, str]:
    """Return id and version of the launch template of a group or an instance."""
    found = of.get("LaunchTemplate", {})
    return found.get("LaunchTemplateId", ""), found.get("Version", "")


def _tag_of(template: str, version: str) -> str:
    answer = client("ec2").describe_launch_template_versions(LaunchTemplateId=template, Versions=[version])
    versions = answer["LaunchTemplateVersions"]
    match = _TAG.search(versions[0].get("VersionDescription", "") if versions else "")
    return match[1] if match else f"version {version} of the launch template"
