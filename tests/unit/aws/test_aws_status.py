"""What is read of an installation: groups, what their instances run, alarms, the web app; and the smoke test."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from support.fake_terraform import REGISTRY, FakeTerraform
from support.http_stub import HttpStub, Reply

from aws import account, cli, groups, smoke, status, waiting
from aws.groups import Refresh
from aws.installation import Installation
from coinrequest import demo
from release.errors import Failed

NAME = "coinrequest-production-web"


class Groups:
    """One group as AWS describes it: two instances work, a third one starts. moto knows no replacements."""

    def __init__(self) -> None:
        self.refreshes: list[Mapping[str, Any]] = []
        self.description = f"{REGISTRY}/coinrequest:old"

    def client(self, service: str) -> Any:
        return self if service in ("autoscaling", "ec2") else account.client(service)

    def get_paginator(self, call: str) -> Any:
        assert call == "describe_auto_scaling_groups"
        return self

    def paginate(self, AutoScalingGroupNames: list[str]) -> list[Mapping[str, Any]]:  # noqa: N803
        working = {"LifecycleState": "InService", "HealthStatus": "Healthy"}
        instances = [
            {**state, "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": version}}
            for state, version in ((working, "1"), (working, "1"), ({**working, "LifecycleState": "Pending:Wait"}, "2"))
        ]
        new = {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "2"}}
        size = {"MinSize": 2, "DesiredCapacity": 3, "MaxSize": 4}
        return [{"AutoScalingGroups": [{"AutoScalingGroupName": NAME, "Instances": instances, **size, **new}]}]

    def describe_launch_template_versions(self, LaunchTemplateId: str, Versions: list[str]) -> Mapping[str, Any]:  # noqa: N803
        assert (LaunchTemplateId, Versions) == ("lt-1", ["1"])
        return {"LaunchTemplateVersions": [{"VersionDescription": self.description}]}

    def describe_instance_refreshes(self, **_options: Any) -> Mapping[str, Any]:
        return {"InstanceRefreshes": self.refreshes}

    def describe_scaling_activities(self, **_options: Any) -> Mapping[str, Any]:
        return {"Activities": [{"StatusCode": "Failed", "Description": "Launching", "StatusMessage": "no capacity"}]}


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Groups:
    found = Groups()
    monkeypatch.setattr(groups, "client", found.client)
    return found


def test_a_group_and_what_it_runs(group: Groups) -> None:
    (found,) = groups.read({"web": NAME, "agent": "not-there"})
    assert (found.role, found.minimum, found.desired, found.maximum, found.working) == ("web", 2, 3, 4, 2)
    assert found.outdated == 2
    assert found.images == {"old": 2}
    assert found.refresh is None
    group.description = ""
    assert groups.read({"web": NAME})[0].images == {"version 1 of the launch template": 2}
    assert groups.read({}) == []


def test_the_newest_replacement(group: Groups) -> None:
    one = {"InstanceRefreshId": "1", "Status": "RollbackFailed", "StatusReason": "why"}
    group.refreshes = [one, {"InstanceRefreshId": "0", "Status": "Successful"}]
    (found,) = groups.read({"web": NAME})
    assert found.refresh == Refresh("1", "RollbackFailed", None, "why")
    assert found.refresh.failed
    assert groups.newest_activity(NAME) == "Failed: Launching: no capacity"


@pytest.fixture
def outputs(group: Groups, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(waiting, "health_problem", lambda url: f"{url} answers 503")
    return {
        "image": f"{REGISTRY}/coinrequest:old",
        "groups": {"web": NAME},
        "url": "https://jobs.example.org",
        "health_url": "https://jobs.example.org/health",
        "sign_in_secret": "coinrequest-production/people",
        "dashboard_url": "https://console.example.org",
    }


def test_the_status_for_people(
    outputs: dict[str, Any],
    world: FakeTerraform,
    group: Groups,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.outputs = outputs
    group.refreshes = [{"InstanceRefreshId": "1", "Status": "InProgress"}]
    cloudwatch = account.client("cloudwatch")
    for name in ("coinrequest-production-queue", "coinrequest-staging-queue"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            MetricName="OldestQueuedJobSeconds",
            Namespace="coinrequest/production",
            Period=60,
            EvaluationPeriods=1,
            Threshold=300,
            ComparisonOperator="GreaterThanThreshold",
            Statistic="Maximum",
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="too old")
    assert cli.main(["status", "production"], world.execute) == 0
    shown = capsys.readouterr().out.partition("done after")[2].splitlines()[1:]
    assert shown == [
        "https://jobs.example.org: https://jobs.example.org/health answers 503",
        f"image      {REGISTRY}/coinrequest:old",
        "web        2 of 3 in service (2 to 4)       2 x old  replacement: InProgress",
        "ALARM      coinrequest-production-queue: too old",
        "dashboard  https://console.example.org",
    ]


def test_the_status_for_programs(
    outputs: dict[str, Any], world: FakeTerraform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["status", "production", "--json"], world.execute) == 0
    assert json.loads(capsys.readouterr().out) is None
    world.outputs = outputs
    assert cli.main(["status", "production", "--json"], world.execute) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["image"] == f"{REGISTRY}/coinrequest:old"
    assert found["groups"][0]["images"] == {"old": 2}


def test_nothing_was_applied(
    world: FakeTerraform, production: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status.read(production, {}) is None
    assert cli.main(["status", "production"], world.execute) == 0
    assert "nothing was applied yet. make apply ENV=production" in capsys.readouterr().out
    assert cli.main(["smoke", "production"], world.execute) == 2


def test_the_health_of_the_web_app(http_stub: HttpStub) -> None:
    http_stub.replies = [Reply(), Reply(503)]
    assert waiting.health_problem(http_stub.url) is None
    assert waiting.health_problem(http_stub.url) == f"{http_stub.url} answers 503"
    assert waiting.health_problem("http://127.0.0.1:9") == "http://127.0.0.1:9 does not answer (ConnectionError)"


def test_the_smoke_test_signs_in_with_what_the_secret_holds(
    world: FakeTerraform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Mapping[str, str]] = []
    monkeypatch.setattr(demo, "run", seen.append)
    secret = json.dumps({"admin": "never", "op": "as op"})
    account.client("secretsmanager").create_secret(Name="coinrequest-production/people", SecretString=secret)
    world.outputs = {"url": "https://jobs.example.org", "sign_in_secret": "coinrequest-production/people"}
    assert cli.main(["smoke", "production"], world.execute) == 0
    assert seen == [
        {
            "COINREQUEST_URL": "https://jobs.example.org",
            "COINREQUEST_USERNAME": "op",
            "COINREQUEST_PASSWORD": "as op",
            "COINREQUEST_DEMO_KEEP": "no",
        }
    ]
    assert "as op" not in capsys.readouterr().out
    assert not [line for line in world.lines if "as op" in line]

    def fail(_environment: Mapping[str, str]) -> None:
        raise demo.DemoFailed("no answer")

    monkeypatch.setattr(demo, "run", fail)
    with pytest.raises(Failed, match="no answer"):
        smoke.run(world.outputs)
