"""The interface of a place to release to."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Target(Protocol):
    """One installation: a Compose project, the namespace of an overlay in a cluster, or an environment in AWS."""

    name: str
    """What messages call it: `Compose project coinrequest`."""

    def lock(self) -> AbstractContextManager[None]:
        """Block other releases to it; `Refused` if one is under way."""

    def remember(self) -> str | None:
        """Note what runs now, for `roll_back`; return its image, or None if nothing runs."""

    def fetch(self, image: str) -> None:
        """Make sure that an image which was built elsewhere is available."""

    def migrate(self, image: str) -> None:
        """Bring servers and databases to the state that the image needs, while the previous version still serves."""

    def roll_out(self, image: str) -> None:
        """Replace what runs by the image, and wait until all of it is healthy."""

    def smoke_test(self, image: str) -> None:
        """Check that every service is healthy, then register a job type, run a job of it and check its result."""

    def roll_back(self) -> None:
        """Return to what `remember` noted, and wait until all of it is healthy. Databases stay migrated."""

    def previous(self) -> str:
        """Return the image released before the one that `remember` noted; `Refused` if there is none."""

    def return_to(self, image: str) -> None:
        """Roll out the image of an earlier release again, and wait until all of it is healthy."""

    def record(self, image: str, outcome: str) -> None:
        """Keep for `status` that something was released."""

    def save_logs(self, path: Path) -> None:
        """Write the last log lines of the services to a file."""

    def status(self) -> list[str]:
        """Return lines that describe what runs and the last releases."""
