"""Gives a replication group of ElastiCache the token that clients have to show. Terraform would keep it in its state.

    python -m aws.redis_token --replication-group ID --secret ARN --region REGION

AWS adds a token to a group without one in two steps: ROTATE lets clients in with the token or without, SET with the
token alone (https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html). The group does not say which of them
was done, so a label at the secret's version does. Run again, this goes on where it was interrupted.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from aws.secret_versions import Secret
from release.errors import Failed, Refused, ReleaseError

# At the version of the secret that is the group's only token.
ONLY_TOKEN = "ONLY-TOKEN"  # noqa: S105 - a label, no secret

Report = Callable[[str], None]


@dataclass(frozen=True)
class ReplicationGroup:
    """A replication group, and how to wait for it.

    Args:
        client: boto3's, of ElastiCache.
        id: of the group.
        pause: seconds between two looks.
        limit: seconds after which a change has failed.
    """

    client: Any
    id: str
    pause: float = 10.0
    limit: float = 1800.0

    @property
    def has_token(self) -> bool:
        """Whether the group knows a token; it may let clients in without it all the same."""
        return bool(self._read().get("AuthTokenEnabled"))

    def add_token(self, token: str) -> None:
        """Begin to let clients in with this token as well as as before. `wait` says when that is so."""
        self._change(token, "ROTATE")

    def require_token(self, token: str) -> None:
        """Begin to let clients in with this token alone, which was added before."""
        self._change(token, "SET")

    def wait(self) -> None:
        """Wait until no change is under way.

        Raises:
            Failed: that took longer than the limit.
        """
        end = monotonic() + self.limit
        while True:
            group = self._read()
            changing = group.get("PendingModifiedValues", {}).get("AuthTokenStatus")
            if group["Status"] == "available" and not changing:
                return
            if monotonic() > end:
                raise Failed(f"{self.id} is {group['Status']}, and not available, after {self.limit:.0f} s. Try again.")
            sleep(self.pause)

    def _change(self, token: str, strategy: str) -> None:
        self.client.modify_replication_group(
            ReplicationGroupId=self.id, AuthToken=token, AuthTokenUpdateStrategy=strategy, ApplyImmediately=True
        )

    def _read(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.client.describe_replication_groups(ReplicationGroupId=self.id)
        group: Mapping[str, Any] = found["ReplicationGroups"][0]
        return group


def set_first_token(group: ReplicationGroup, secrets: Any, secret: str, report: Report) -> None:
    """Make a group ask for the token in a secret; a group that does already is left alone.

    Args:
        group: which.
        secrets: boto3's client of Secrets Manager.
        secret: the name or address of the secret with the token.
        report: gets a line for each step.

    Raises:
        Failed: the group did not become available.
    """
    found = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
    token, version, labels = found["SecretString"], found["VersionId"], found["VersionStages"]
    group.wait()
    if group.has_token and ONLY_TOKEN in labels:
        report(f"{group.id} asks for its token already")
        return
    if not group.has_token:
        if ONLY_TOKEN in labels:
            # It belonged to a group that is gone.
            Secret(secrets, secret).erase(version, ONLY_TOKEN)
        report(f"{group.id}: adding the token")
        group.add_token(token)
        group.wait()
    report(f"{group.id}: making it the only way in")
    group.require_token(token)
    group.wait()
    mark_only_token(secrets, secret, version)
    report(f"{group.id} asks for its token")


def mark_only_token(secrets: Any, secret: str, version: str) -> None:
    """Note that this version of the secret is the group's only token."""
    Secret(secrets, secret).note(version, ONLY_TOKEN)


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aws.redis_token", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replication-group", required=True, metavar="ID")
    parser.add_argument("--secret", required=True, metavar="ARN", help="the address of the secret, not its value")
    parser.add_argument("--region", required=True)
    arguments = parser.parse_args(words)
    try:
        _set(arguments.replication_group, arguments.secret, arguments.region)
    except ReleaseError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _set(group: str, secret: str, region: str) -> None:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise Refused(
            f"{sys.executable} has no boto3, which sets the token of Redis. Install it (uv sync --group infrastructure)"
            ' and name that Python to Terraform: -var python="$PWD/.venv/bin/python". make does both.'
        ) from None
    try:
        clients = [boto3.client(service, region_name=region) for service in ("elasticache", "secretsmanager")]
        set_first_token(ReplicationGroup(clients[0], group), clients[1], secret, _report)
    except ClientError as error:
        # The message has the action and who was refused; a request's values, such as the token, are in none.
        raise Failed(f"AWS refused, with {group} or {secret}: {error}") from error
    except BotoCoreError as error:
        raise Failed(f"AWS was not reached: {error}") from error


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
