"""Gives a replication group of ElastiCache the token that clients have to present.

    python -m aws.redis_token --replication-group ID --secret ARN --region REGION

Terraform itself would keep the token in its state. AWS adds a token to a group without one in two steps: after ROTATE
it accepts clients with the token or without, after SET only those with it
(https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html). The group does not say which step was done, so a
label at the secret's version does. After an interruption, the same command continues.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws.account import client, explained_errors
from aws.secret_versions import Secret
from release.errors import Failed, Refused, ReleaseError
from release.polling import poll

# At the version of the secret that is the group's only token.
ONLY_TOKEN = "ONLY-TOKEN"  # noqa: S105 - a label, no secret
_OTHER_PYTHON = 'Terraform takes another Python as -var python="$PWD/.venv/bin/python"'

Report = Callable[[str], None]


@dataclass(frozen=True)
class ReplicationGroup:
    """A replication group, and how to wait for it.

    Args:
        client: boto3's, of ElastiCache.
        id: of the group.
        interval: seconds between two requests while it waits.
        timeout: seconds for a change.
    """

    client: Any
    id: str
    interval: float = 10.0
    timeout: float = 1800.0

    @property
    def has_token(self) -> bool:
        """Whether the group knows a token; it may accept clients without it all the same."""
        return bool(self._read().get("AuthTokenEnabled"))

    def add_token(self, token: str) -> None:
        """Start to accept this token in addition. `wait` returns when that is so."""
        self._change(token, "ROTATE")

    def require_token(self, token: str) -> None:
        """Start to accept only this token, which was added before."""
        self._change(token, "SET")

    def wait(self) -> None:
        """Wait until no change is under way.

        Raises:
            Failed: it took longer than the timeout.
        """
        group = poll(self._read, _is_settled, self.timeout, self.interval)
        if not _is_settled(group):
            raise Failed(f"{self.id} is {group['Status']}, not available, after {self.timeout:.0f} s. Try again.")

    def _change(self, token: str, strategy: str) -> None:
        self.client.modify_replication_group(
            ReplicationGroupId=self.id, AuthToken=token, AuthTokenUpdateStrategy=strategy, ApplyImmediately=True
        )

    def _read(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.client.describe_replication_groups(ReplicationGroupId=self.id)
        group: Mapping[str, Any] = found["ReplicationGroups"][0]
        return group


def _is_settled(group: Mapping[str, Any]) -> bool:
    changing = group.get("PendingModifiedValues", {}).get("AuthTokenStatus")
    return group["Status"] == "available" and not changing


def set_first_token(group: ReplicationGroup, secrets: Any, secret: str, report: Report) -> None:
    """Make a group require the token in a secret, unless it does so already.

    Args:
        group: which.
        secrets: boto3's client of Secrets Manager.
        secret: the name or ARN of the secret with the token.
        report: gets a line for each step.

    Raises:
        Failed: the group did not become available.
    """
    found = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
    token, version, labels = found["SecretString"], found["VersionId"], found["VersionStages"]
    group.wait()
    if group.has_token and ONLY_TOKEN in labels:
        report(f"{group.id} already requires its token")
        return
    if not group.has_token:
        if ONLY_TOKEN in labels:
            # It belonged to a group that is gone.
            Secret(secrets, secret).remove_label(version, ONLY_TOKEN)
        report(f"{group.id}: adding the token")
        group.add_token(token)
        group.wait()
    report(f"{group.id}: requiring the token")
    group.require_token(token)
    group.wait()
    Secret(secrets, secret).add_label(version, ONLY_TOKEN)
    report(f"{group.id} requires its token")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aws.redis_token", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replication-group", required=True, metavar="ID")
    parser.add_argument("--secret", required=True, metavar="ARN", help="of the secret with the token")
    parser.add_argument("--region", required=True)
    arguments = parser.parse_args(argv)
    group, secret = arguments.replication_group, arguments.secret
    try:
        with explained_errors(f" ({group}, {secret})"):
            elasticache, secrets = (client(name, arguments.region) for name in ("elasticache", "secretsmanager"))
            set_first_token(ReplicationGroup(elasticache, group), secrets, secret, _report)
    except Refused as error:
        sys.stderr.write(f"error: {error}. {_OTHER_PYTHON}\n")
        return 1
    except ReleaseError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
