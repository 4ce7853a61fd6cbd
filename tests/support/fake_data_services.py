"""Stand-ins for the parts of ElastiCache and Auto Scaling that moto lacks, and the clients that a rotation gets."""

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3

from aws.rotate import Clients

REGION = "eu-west-1"
NAME = "coinrequest-production"


class FakeElastiCache:
    """A replication group whose changes take two looks."""

    def __init__(self) -> None:
        self.tokens: list[str | None] = [None]
        self.calls: list[tuple[str, str]] = []
        self._changing = 0

    def modify_replication_group(self, **request: Any) -> None:
        assert request["ReplicationGroupId"] == NAME
        assert request["ApplyImmediately"] is True
        assert not self._changing, "AWS refuses a change while another one is under way"
        token, strategy = request["AuthToken"], request["AuthTokenUpdateStrategy"]
        assert strategy in ("ROTATE", "SET")
        assert strategy == "ROTATE" or token in self.tokens, "SET takes a token that was added before"
        self.tokens = [token] if strategy == "SET" else [self.tokens[-1], token]
        self.calls.append((strategy, token))
        self._changing = 2

    def describe_replication_groups(self, **_request: Any) -> dict[str, Any]:
        changing, self._changing = self._changing, max(0, self._changing - 1)
        group = {
            "Status": "modifying" if changing > 1 else "available",
            "AuthTokenEnabled": self.tokens != [None],
            "PendingModifiedValues": {"AuthTokenStatus": "ROTATING"} if changing else {},
        }
        return {"ReplicationGroups": [group]}


class FakeAutoScaling:
    """Groups whose replacements are over at the second look."""

    def __init__(self, *roles: str) -> None:
        self.roles = roles
        self.started: list[str] = []
        self.outcome: dict[str, str] = {}
        self.seen: Callable[[str], None] = lambda _role: None
        self._refreshes: dict[str, list[dict[str, Any]]] = {role: [] for role in roles}

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> dict[str, Any]:  # noqa: N803
        instances = [
            {"InstanceId": "i-leaving", "LifecycleState": "Terminating:Wait"},
            {"InstanceId": "i-working", "LifecycleState": "InService"},
        ]
        found = [role for role in self.roles if f"{NAME}-{role}" in AutoScalingGroupNames]
        return {
            "AutoScalingGroups": [{"AutoScalingGroupName": f"{NAME}-{role}", "Instances": instances} for role in found]
        }

    def start_instance_refresh(self, **request: Any) -> dict[str, Any]:
        role = request["AutoScalingGroupName"].removeprefix(f"{NAME}-")
        assert request["Preferences"]["SkipMatching"] is False, "the launch template did not change"
        assert request["Preferences"]["MinHealthyPercentage"] == 100
        assert not [one for one in self._refreshes[role] if one["Status"] == "InProgress"]
        self.started.append(role)
        self.begin(role, f"{role}-{len(self._refreshes[role])}")
        self.seen(role)
        return {"InstanceRefreshId": self._refreshes[role][-1]["InstanceRefreshId"]}

    def begin(self, role: str, id: str) -> None:
        self._refreshes[role].append({"InstanceRefreshId": id, "Status": "InProgress", "looks": 2})

    def describe_instance_refreshes(self, **request: Any) -> dict[str, Any]:
        role = request["AutoScalingGroupName"].removeprefix(f"{NAME}-")
        found = self._refreshes[role][-1:]
        if "InstanceRefreshIds" in request:
            found = [one for one in self._refreshes[role] if one["InstanceRefreshId"] in request["InstanceRefreshIds"]]
        for one in found:
            one["looks"] -= 1
            if one["looks"] == 0:
                one["Status"] = self.outcome.get(role, "Successful")
        return {"InstanceRefreshes": [dict(one) for one in found]}


def clients(autoscaling: FakeAutoScaling, elasticache: FakeElastiCache | None = None) -> Clients:
    """Return clients: moto's for what it has."""
    return Clients(client("secretsmanager"), autoscaling, elasticache or FakeElastiCache(), client("ssm"))


@cache
def client(service: str) -> Any:
    """Return a client, made once: that takes a third of a second, and moto answers through it in every test."""
    return boto3.client(service, REGION)
