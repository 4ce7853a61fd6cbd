"""The status of an installation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws import groups, waiting
from aws.account import client
from aws.groups import Group
from aws.installation import Installation


@dataclass(frozen=True)
class Status:
    """The status of an installation.

    Args:
        image: with registry and tag.
        url: of the web app.
        dashboard: its URL in CloudWatch.
        health: `answers`, or why the web app does not.
        groups: those of all roles.
        alarms: those in the state ALARM, each with its reason.
    """

    image: str
    url: str
    dashboard: str
    health: str
    groups: tuple[Group, ...]
    alarms: tuple[str, ...]


def read(installation: Installation, outputs: Mapping[str, Any]) -> Status | None:
    """Return the status of an installation; None if nothing was applied.

    Args:
        installation: the environment.
        outputs: of Terraform.
    """
    if "image" not in outputs:
        return None
    return Status(
        image=outputs["image"],
        url=outputs["url"],
        dashboard=outputs["dashboard_url"],
        health=waiting.health_problem(outputs["health_url"]) or "answers",
        groups=tuple(groups.read(outputs["groups"])),
        alarms=_alarms(installation),
    )


def lines(status: Status) -> list[str]:
    """Return the status as lines of text."""
    return [
        f"{status.url}: {status.health}",
        f"image      {status.image}",
        *(_line(group) for group in status.groups),
        *([f"ALARM      {alarm}" for alarm in status.alarms] or ["no alarm is on"]),
        f"dashboard  {status.dashboard}",
    ]


def _line(group: Group) -> str:
    images = ", ".join(f"{count} x {tag}" for tag, count in sorted(group.images.items())) or "none"
    refresh = group.refresh
    moving = f"  replacement: {refresh.status} {refresh.reason}".rstrip() if refresh and not refresh.done else ""
    size = f"{group.working} of {group.desired} in service ({group.minimum} to {group.maximum})"
    return f"{group.role:<10} {size:<32} {images}{moving}"


def _alarms(installation: Installation) -> tuple[str, ...]:
    pages = (
        client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=installation.name, StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    )
    found = [one for page in pages for kind in ("MetricAlarms", "CompositeAlarms") for one in page.get(kind, [])]
    return tuple(f"{one['AlarmName']}: {one.get('StateReason', '')}" for one in found)
