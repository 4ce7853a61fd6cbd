"""The versions of a secret in Secrets Manager. Their labels hold the progress of a rotation.

AWSCURRENT is the value that instances read. AWSPENDING is the value of an unfinished rotation. Each finished step is a
label of its own at that version, so that an interrupted rotation can be continued from any machine.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"
_STEP = "step:"
# AWS may remove a version without a label. Terraform would miss the version that it created, and write a new one.
_FIRST = "FIRST"


@dataclass(frozen=True)
class Secret:
    """A secret.

    Args:
        client: boto3's, of Secrets Manager.
        name: or ARN.
    """

    client: Any
    name: str

    def pending(self) -> str | None:
        """Return the version of an unfinished rotation."""
        return self._holder(_PENDING)

    def propose(self, value: str) -> str:
        """Store the next value, which nothing reads yet; return its version."""
        current = self._holder(_CURRENT)
        if current and self._holder(_FIRST) is None:
            self.add_label(current, _FIRST)
        answer = self.client.put_secret_value(SecretId=self.name, SecretString=value, VersionStages=[_PENDING])
        return str(answer["VersionId"])

    def value(self, version: str) -> str:
        """Return the value of a version."""
        return str(self.client.get_secret_value(SecretId=self.name, VersionId=version)["SecretString"])

    def make_current(self, version: str) -> None:
        """Make new instances read this version."""
        self.add_label(version, _CURRENT)

    def current_value(self) -> str:
        """Return the value that instances read."""
        return str(self.client.get_secret_value(SecretId=self.name, VersionStage=_CURRENT)["SecretString"])

    def put_current(self, value: str, version: str) -> None:
        """Make new instances read another value, which belongs to the rotation with this version."""
        token = str(uuid5(UUID(version), "current"))
        self.client.put_secret_value(
            SecretId=self.name, SecretString=value, VersionStages=[_CURRENT], ClientRequestToken=token
        )

    def steps(self, version: str) -> tuple[str, ...]:
        """Return the finished steps of a rotation."""
        return tuple(label.removeprefix(_STEP) for label in self._labels().get(version, ()) if label.startswith(_STEP))

    def add_step(self, version: str, name: str) -> None:
        """Note that a step is finished."""
        self.add_label(version, _STEP + name)

    def remove_step(self, version: str, name: str) -> None:
        """Note that a step is to be repeated."""
        self.remove_label(version, _STEP + name)

    def add_label(self, version: str, label: str) -> None:
        """Give a label to a version, and take it from any other."""
        holder = self._holder(label)
        if holder != version:
            self._move(label, holder, version)

    def remove_label(self, version: str, label: str) -> None:
        """Take a label from a version."""
        self._move(label, version, None)

    def finish(self, version: str) -> None:
        """End a rotation, and remove the notes of its steps."""
        steps = self.steps(version)
        self.remove_label(version, _PENDING)
        for name in steps:
            self.remove_step(version, name)

    def _labels(self) -> dict[str, list[str]]:
        # Only versions with labels are listed, and a secret has few of them.
        found = self.client.list_secret_version_ids(SecretId=self.name, MaxResults=100)["Versions"]
        return {one["VersionId"]: one.get("VersionStages", []) for one in found}

    def _holder(self, label: str) -> str | None:
        return next((version for version, labels in self._labels().items() if label in labels), None)

    def _move(self, label: str, source: str | None, target: str | None) -> None:
        where = {"RemoveFromVersionId": source, "MoveToVersionId": target}
        given = {key: version for key, version in where.items() if version}
        self.client.update_secret_version_stage(SecretId=self.name, VersionStage=label, **given)
