"""The commit that is released."""

import tomllib
from pathlib import Path

from release.commands import CommandFailed, Commands
from release.errors import Refused

ROOT = Path(__file__).resolve().parents[1]


def commit(commands: Commands) -> str:
    """Return the full id of the checked-out commit.

    Raises:
        Refused: the folder is not a Git checkout.
    """
    try:
        return commands.read("git", "-C", str(ROOT), "rev-parse", "HEAD", needed=True).strip()
    except CommandFailed as error:
        raise Refused(f"An image is named by its commit, and there is no Git commit here: {error}") from error


def version() -> str:
    """Return the version of the project from `pyproject.toml`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def require_clean(commands: Commands) -> None:
    """Check that the files are exactly those of the commit.

    Raises:
        Refused: some differ; a dry run only says so.
    """
    changed = commands.read("git", "-C", str(ROOT), "status", "--porcelain").splitlines()
    if not changed:
        return
    shown = "\n".join(f"    {line}" for line in changed[:10])
    more = f"\n    ... and {len(changed) - 10} more" if len(changed) > 10 else ""
    problem = (
        "The working tree differs from its commit, so an image of it cannot be named by the commit:\n"
        f"{shown}{more}\n"
        "Commit the changes, or put them aside (git stash --include-untracked), and release again.\n"
        "An image that is already built needs neither: --image coinrequest:COMMIT."
    )
    if not commands.dry_run:
        raise Refused(problem)
    commands.output.line(f"A release would be refused now. {problem}")
