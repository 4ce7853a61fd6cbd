"""Replaces the instances of an installation, so that they read secrets again, and runs commands on one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws.groups import Refresh, newest_refresh, parse_refresh
from aws.redis_token import Report
from aws.secret_versions import Secret
from release.errors import Failed
from release.polling import poll

_ROLES = ("web", "scheduler", "triggerer", "agent", "gateway")
# The roles whose instances have the password of the database's owner, and the container that has it there.
_CONTAINERS = {"scheduler": "coinrequest-scheduler", "web": "coinrequest-api-server"}
# Those of the groups (terraform/modules/role), but nothing is skipped: the launch template does not change.
_PREFERENCES = {
    "MinHealthyPercentage": 100,
    "MaxHealthyPercentage": 200,
    "InstanceWarmup": 120,
    "SkipMatching": False,
    "AutoRollback": False,
}
_COMMAND_TIMEOUT = 900
_UNFINISHED = ("Pending", "InProgress", "Delayed")
_CHARACTERS_OF_ERROR = 2000


@dataclass(frozen=True)
class Groups:
    """The auto scaling groups of an installation.

    Args:
        client: boto3's.
        name: of the installation; the name of a group is this and its role.
        interval: seconds between two requests while it waits.
        timeout: seconds for a replacement.
    """

    client: Any
    name: str
    interval: float
    timeout: float

    def roles(self) -> frozenset[str]:
        """Return the roles that have a group."""
        names = {f"{self.name}-{role}": role for role in _ROLES}
        found = self.client.describe_auto_scaling_groups(AutoScalingGroupNames=list(names))["AutoScalingGroups"]
        return frozenset(names[group["AutoScalingGroupName"]] for group in found)

    def instance(self, role: str) -> str:
        """Return an instance in service.

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
        """Start to replace the instances of a role; return the id of the instance refresh.

        It waits for another one under way first, whose instances may have read the secret before it changed.
        """
        name = f"{self.name}-{role}"
        other = poll(
            lambda: newest_refresh(self.client, name),
            lambda newest: newest is None or not newest.under_way,
            self.timeout,
            self.interval,
        )
        if other and other.under_way:
            raise self._late(f"{name} is being replaced for another reason")
        answer = self.client.start_instance_refresh(
            AutoScalingGroupName=name, Strategy="Rolling", Preferences=_PREFERENCES
        )
        return str(answer["InstanceRefreshId"])

    def look(self, role: str, id: str) -> Refresh:
        """Return an instance refresh of a role."""
        found = self.client.describe_instance_refreshes(
            AutoScalingGroupName=f"{self.name}-{role}", InstanceRefreshIds=[id]
        )
        return parse_refresh(found["InstanceRefreshes"][0])

    def wait(self, started: Mapping[str, str], report: Report) -> dict[str, Refresh]:
        """Wait until instance refreshes have ended; return their outcomes.

        Args:
            started: the id of the instance refresh of each role.
            report: gets a line after every change.

        Raises:
            Failed: the time is up.
        """
        shown = ""

        def read() -> dict[str, Refresh]:
            nonlocal shown
            found = {role: self.look(role, id) for role, id in started.items()}
            line = ", ".join(f"{role} {one.status} {one.percent or 0} %" for role, one in found.items())
            if line != shown:
                report(line)
                shown = line
            return found

        found = poll(read, lambda found: not _any_under_way(found), self.timeout, self.interval)
        if _any_under_way(found):
            raise self._late(f"not yet replaced: {shown}")
        return found

    def _late(self, state: str) -> Failed:
        return Failed(f"{state}, after {self.timeout:.0f} s. The same command continues from here.")


def replace_all(groups: Groups, report: Report) -> None:
    """Replace every instance.

    Raises:
        Failed: the new instances of a role did not work. Its old ones keep running.
    """
    ended = groups.wait({role: groups.start(role) for role in sorted(groups.roles())}, report)
    if failed := _failures(ended):
        raise Failed("; ".join(failed.values()))


def replace_for_secret(
    groups: Groups, roles: tuple[str, ...], secret: Secret, version: str, name: str, report: Report
) -> None:
    """Replace the instances of several roles at the same time, and wait for it.

    That interrupts nothing: an instance goes only when its successor works. Each start is noted at the version of the
    secret, as `name:role:id`, so that an interrupted rotation waits for it and does not start it again.

    Raises:
        Failed: the new instances of a role did not work. Its old ones keep running.
    """
    noted = [step.split(":", 2) for step in secret.steps(version) if step.startswith(f"{name}:")]
    started = {role: id for _, role, id in noted}
    for role in roles:
        if role not in started:
            started[role] = groups.start(role)
            secret.add_step(version, f"{name}:{role}:{started[role]}")
    failed = _failures(groups.wait(started, report))
    for role in failed:
        # The same command will start it again.
        secret.remove_step(version, f"{name}:{role}:{started[role]}")
    if failed:
        reasons = "; ".join(failed.values())
        raise Failed(f"New instances did not work: {reasons}. After a fix, the same command continues from here.")


def run_command(ssm: Any, instance: str, command: str, interval: float) -> None:
    """Run a command on an instance, through Session Manager, and wait for its end.

    Raises:
        Failed: it did not succeed. The message has the end of what it wrote.
    """
    answer = ssm.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [command], "executionTimeout": [str(_COMMAND_TIMEOUT)]},
        TimeoutSeconds=60,
    )
    id = answer["Command"]["CommandId"]

    def read() -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = ssm.get_command_invocation(CommandId=id, InstanceId=instance)
        except ssm.exceptions.InvocationDoesNotExist:
            # At first, AWS does not know it yet.
            return {"Status": "Pending"}
        return found

    found = poll(read, lambda found: found["Status"] not in _UNFINISHED, _COMMAND_TIMEOUT + 120, interval)
    if found["Status"] != "Success":
        error = found.get("StandardErrorContent", "")[-_CHARACTERS_OF_ERROR:]
        raise Failed(f"`{command}` on {instance}: {found['Status']} {error}".strip())


def run_with_database_owner(groups: Groups, ssm: Any, command: str, interval: float) -> None:
    """Run a command of the platform on an instance that may change the database, and wait for its end.

    Raises:
        Failed: there is no such instance, or the command did not succeed.
    """
    role = next((role for role in _CONTAINERS if role in groups.roles()), None)
    if role is None:
        raise Failed(f"{groups.name} has no group whose instances may change the database.")
    run_command(ssm, groups.instance(role), f"docker exec {_CONTAINERS[role]} run-process {command}", interval)


def _any_under_way(refreshes: Mapping[str, Refresh]) -> bool:
    return any(one.under_way for one in refreshes.values())


def _failures(refreshes: Mapping[str, Refresh]) -> dict[str, str]:
    """Return the reason for each role whose instance refresh failed."""
    return {role: f"{role}: {one.status} {one.reason}".strip() for role, one in refreshes.items() if one.failed}
