"""The versions of a secret in Secrets Manager, whose labels say which value comes next and how far its rotation is.

AWSCURRENT is what instances read. AWSPENDING is the value of a rotation that is not over. A step that is done is a
label of its own at that version: whoever goes on with an interrupted rotation, from whichever machine, finds it there.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"
_STEP = "step:"
# AWS may remove a version without a label. Terraform remembers the one that it made, and would write a new one.
_FIRST = "FIRST"


@dataclass(frozen=True)
class Secret:
    """A secret.

    Args:
        client: boto3's, of Secrets Manager.
        name: or address.
    """

    client: Any
    name: str

    def pending(self) -> str | None:
        """Return the version of a rotation that is not over."""
        return self._holder(_PENDING)

    def propose(self, value: str) -> str:
        """Keep what comes next, which nobody reads yet; return its version."""
        current = self._holder(_CURRENT)
        if current and self._holder(_FIRST) is None:
            self.note(current, _FIRST)
        answer = self.client.put_secret_value(SecretId=self.name, SecretString=value, VersionStages=[_PENDING])
        return str(answer["VersionId"])

    def value(self, version: str) -> str:
        """Return the value of a version."""
        return str(self.client.get_secret_value(SecretId=self.name, VersionId=version)["SecretString"])

    def make_current(self, version: str) -> None:
        """Let instances that start from now on read this version."""
        self.note(version, _CURRENT)

    def current_value(self) -> str:
        """Return what instances read."""
        return str(self.client.get_secret_value(SecretId=self.name, VersionStage=_CURRENT)["SecretString"])

    def put_current(self, value: str, version: str) -> None:
        """Let instances read another value, which belongs to the rotation that `version` is of."""
        token = str(uuid5(UUID(version), "current"))
        self.client.put_secret_value(
            SecretId=self.name, SecretString=value, VersionStages=[_CURRENT], ClientRequestToken=token
        )

    def steps(self, version: str) -> tuple[str, ...]:
        """Return the steps of a rotation that are done."""
        return tuple(label.removeprefix(_STEP) for label in self._labels().get(version, ()) if label.startswith(_STEP))

    def add_step(self, version: str, name: str) -> None:
        """Note a step as done."""
        self.note(version, _STEP + name)

    def remove_step(self, version: str, name: str) -> None:
        """Note a step as not done."""
        self.erase(version, _STEP + name)

    def note(self, version: str, label: str) -> None:
        """Add a label to a version; another version loses it."""
        holder = self._holder(label)
        if holder != version:
            self._move(label, holder, version)

    def erase(self, version: str, label: str) -> None:
        """Take a label away."""
        self._move(label, version, None)

    def finish(self, version: str) -> None:
        """End a rotation, and take the notes of its steps away."""
        steps = self.steps(version)
        self.erase(version, _PENDING)
        for name in steps:
            self.remove_step(version, name)

    def _labels(self) -> dict[str, list[str]]:
        # Without a label no version is listed, and one secret has few labels.
        found = self.client.list_secret_version_ids(SecretId=self.name, MaxResults=100)["Versions"]
        return {one["VersionId"]: one.get("VersionStages", []) for one in found}

    def _holder(self, label: str) -> str | None:
        return next((version for version, labels in self._labels().items() if label in labels), None)

    def _move(self, label: str, source: str | None, target: str | None) -> None:
        where = {"RemoveFromVersionId": source, "MoveToVersionId": target}
        given = {key: version for key, version in where.items() if version}
        self.client.update_secret_version_stage(SecretId=self.name, VersionStage=label, **given)
