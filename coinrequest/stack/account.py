"""Under which account PostgreSQL runs: it refuses to run as root, and containers and CI are root."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from coinrequest.stack.errors import StackError


@dataclass(frozen=True)
class Account:
    """An account, and what has to stand before a command so that it runs under it.

    Attributes:
        uid: the user, or None for the caller's own.
        gid: the group, or None.
        prefix: words before the command.
    """

    uid: int | None = None
    gid: int | None = None
    prefix: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        """Hand a file or folder to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


CALLER = Account()


def database_account(*paths: Path) -> Account:
    """Return the account for PostgreSQL, which has to reach `paths`.

    A person who is not root: their own. Root: `nobody`, so that no account has to be created on the machine.
    Where `nobody` cannot enter a folder on the way (/root is closed to it), the command keeps the one
    capability that opens folders; no permission of a folder outside the stack is ever changed.

    Raises:
        StackError: root, on a machine where neither is possible.
    """
    if os.geteuid() != 0:
        return CALLER
    import pwd

    entry = pwd.getpwnam("nobody")
    closed = [folder for path in paths for folder in path.parents if not _others_may_enter(folder)]
    if not closed:
        return Account(entry.pw_uid, entry.pw_gid)
    setpriv = shutil.which("setpriv")
    if setpriv is None or not sys.platform.startswith("linux"):
        raise StackError(
            f"PostgreSQL refuses to run as root, and the account nobody cannot enter {closed[0]}. "
            "Run as another user, or put the project where others may enter (for example below /opt)."
        )
    capability = "-all,+dac_override"
    return Account(
        entry.pw_uid,
        entry.pw_gid,
        (
            setpriv,
            f"--reuid={entry.pw_uid}",
            f"--regid={entry.pw_gid}",
            "--clear-groups",
            f"--inh-caps={capability}",
            f"--ambient-caps={capability}",
        ),
    )


def _others_may_enter(folder: Path) -> bool:
    return not folder.exists() or bool(folder.stat().st_mode & 0o001)
