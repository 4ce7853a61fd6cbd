"""The commit that is released."""

import tomllib
from pathlib import Path

from release.commands import CommandFailed, Commands
from release.errors import Refused

ROOT = Path(__file__).resolve().parents[1]


def commit(commands: Commands) -> str:
    """Return the full id of the commit that is checked out.

    Raises:
        Refused: the folder is no Git checkout.
    """
    try:
        return commands.read("git", "-C", str(ROOT), "rev-parse", "HEAD", needed=True).strip()
    except CommandFailed as error:
        raise Refused(f"An image is named by its commit, and Git knows none here: {error}") from error


def version() -> str:
    """Return the version of the project, which `pyproject.toml` holds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def require_clean(commands: Commands) -> None:
    """See that the files are those of the commit, to the last line.

    Raises:
        Refused: some are not; a dry run says so and goes on.
    """
    changed = commands.read("git", "-C", str(ROOT), "status", "--porcelain").splitlines()
    if not changed:
        return
    shown = "\n".join(f"    {line}" for line in changed[:10])
    more = f"\n    ... and {len(changed) - 10} more" if len(changed) > 10 else ""
    problem = (
        "The working tree differs from its commit, so an image of it could not be named by the commit:\n"
        f"{shown}{more}\n"
        "Commit the changes, or put them aside (git stash --include-untracked), and release again.\n"
        "An image that is already built needs neither: --image coinrequest:COMMIT."
    )
    if not commands.dry_run:
        raise Refused(problem)
    commands.output.line(f"A release would be refused now. {problem}")
