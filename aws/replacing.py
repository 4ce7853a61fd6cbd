"""Replaces the instances of an installation's groups, so that they read a secret anew, and runs a command on one."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from aws.groups import Refresh
from aws.redis_token import Report
from aws.secret_versions import Secret
from release.errors import Failed

_ROLES = ("web", "scheduler", "triggerer", "agent", "gateway")
# The roles whose instances have the database owner's password, and the container that has it there.
_CONTAINERS = {"scheduler": "coinrequest-scheduler", "web": "coinrequest-api-server"}
# As the groups' own (terraform/modules/role), but that nothing is skipped: the launch template stays what it is.
_PREFERENCES = {
    "MinHealthyPercentage": 100,
    "MaxHealthyPercentage": 200,
    "InstanceWarmup": 120,
    "SkipMatching": False,
    "AutoRollback": False,
}
_COMMAND_SECONDS = 900
_CHARACTERS_OF_ERROR = 2000


@dataclass(frozen=True)
class Groups:
    """The auto scaling groups of an installation.

    Args:
        client: boto3's.
        name: of the installation; a group is called after it and its role.
        pause: seconds between two looks.
        limit: seconds after which a replacement has failed.
    """

    client: Any
    name: str
    pause: float
    limit: float

    def roles(self) -> frozenset[str]:
        """Return the roles that have a group."""
        names = {f"{self.name}-{role}": role for role in _ROLES}
        found = self.client.describe_auto_scaling_groups(AutoScalingGroupNames=list(names))["AutoScalingGroups"]
        return frozenset(names[group["AutoScalingGroupName"]] for group in found)

    def instance(self, role: str) -> str:
        """Return an instance that is in service.

        Raises:
            Failed: there is none.
        """
        name = f"{self.name}-{role}"
        for group in self.client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]:
            for one in group["Instances"]:
                if one["LifecycleState"] == "InService":
                    return str(one["InstanceId"])
        raise Failed(f"No instance of {name} is in service.")

    def start(self, role: str) -> str:
        """Begin to replace the instances of a role; return the replacement's id.

        Another one that is under way is waited for: its instances may have read the secret before it changed.
        """
        end = monotonic() + self.limit
        while (newest := self._newest(role)) and newest.under_way:
            self._pause(end, f"{self.name}-{role} is being replaced for another reason")
        answer = self.client.start_instance_refresh(
            AutoScalingGroupName=f"{self.name}-{role}", Strategy="Rolling", Preferences=_PREFERENCES
        )
        return str(answer["InstanceRefreshId"])

    def look(self, role: str, id: str) -> Refresh:
        """Return how far a replacement is."""
        found = self.client.describe_instance_refreshes(
            AutoScalingGroupName=f"{self.name}-{role}", InstanceRefreshIds=[id]
        )
        return _refresh(found["InstanceRefreshes"][0])

    def wait(self, started: Mapping[str, str], report: Report) -> dict[str, Refresh]:
        """Wait until replacements are over; return how each ended.

        Args:
            started: the id of the replacement of each role.
            report: gets a line when something moved.

        Raises:
            Failed: the time is up.
        """
        end, shown = monotonic() + self.limit, ""
        while True:
            found = {role: self.look(role, id) for role, id in started.items()}
            line = ", ".join(f"{role} {one.status} {one.percent or 0} %" for role, one in found.items())
            if line != shown:
                report(line)
                shown = line
            if not any(one.under_way for one in found.values()):
                return found
            self._pause(end, f"not yet replaced: {line}")

    def _newest(self, role: str) -> Refresh | None:
        found = self.client.describe_instance_refreshes(AutoScalingGroupName=f"{self.name}-{role}", MaxRecords=1)
        return next((_refresh(one) for one in found["InstanceRefreshes"]), None)

    def _pause(self, end: float, state: str) -> None:
        if monotonic() > end:
            raise Failed(f"{state}, after {self.limit:.0f} s. The same command goes on from here.")
        sleep(self.pause)


def replace(groups: Groups, roles: tuple[str, ...], secret: Secret, version: str, name: str, report: Report) -> None:
    """Replace the instances of several roles at the same time, and wait for it.

    All at once, because none is taken away before its successor works. What was begun is noted at the version of the
    secret, as `name:role:id`, so that an interrupted rotation waits for it and does not begin again.

    Raises:
        Failed: the new instances of a role did not work. Its old ones run on.
    """
    begun = [step.split(":", 2) for step in secret.steps(version) if step.startswith(f"{name}:")]
    started = {role: id for _, role, id in begun}
    for role in roles:
        if role not in started:
            started[role] = groups.start(role)
            secret.add_step(version, f"{name}:{role}:{started[role]}")
    failed = {role: one for role, one in groups.wait(started, report).items() if one.failed}
    for role, one in failed.items():
        # Begun anew when somebody goes on.
        secret.remove_step(version, f"{name}:{role}:{one.id}")
    if failed:
        reasons = "; ".join(f"{role}: {one.status} {one.reason}".strip() for role, one in failed.items())
        raise Failed(f"New instances did not work: {reasons}. When that is mended, the same command goes on from here.")


def run_command(ssm: Any, instance: str, command: str, pause: float) -> None:
    """Run a command on an instance, through Session Manager, and wait for its end.

    Raises:
        Failed: it did not succeed. The message has the end of what it wrote.
    """
    answer = ssm.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [command], "executionTimeout": [str(_COMMAND_SECONDS)]},
        TimeoutSeconds=60,
    )
    id = answer["Command"]["CommandId"]
    end = monotonic() + _COMMAND_SECONDS + 120
    while True:
        # For a moment the instance does not know of it yet.
        sleep(pause)
        try:
            found = ssm.get_command_invocation(CommandId=id, InstanceId=instance)
        except ssm.exceptions.InvocationDoesNotExist:
            found = {"Status": "Pending"}
        if found["Status"] == "Success":
            return
        if found["Status"] not in ("Pending", "InProgress", "Delayed") or monotonic() > end:
            error = found.get("StandardErrorContent", "")[-_CHARACTERS_OF_ERROR:]
            raise Failed(f"`{command}` on {instance}: {found['Status']} {error}".strip())


def run_migrating(groups: Groups, ssm: Any, command: str, pause: float) -> None:
    """Run a command of the platform on an instance that may change the database, and wait for its end.

    Raises:
        Failed: there is no such instance, or the command did not succeed.
    """
    role = next((role for role in _CONTAINERS if role in groups.roles()), None)
    if role is None:
        raise Failed(f"{groups.name} has no group whose instances may change the database.")
    run_command(ssm, groups.instance(role), f"docker exec {_CONTAINERS[role]} run-process {command}", pause)


def _refresh(answer: Mapping[str, Any]) -> Refresh:
    return Refresh(
        answer["InstanceRefreshId"], answer["Status"], answer.get("PercentageComplete"), answer.get("StatusReason", "")
    )
