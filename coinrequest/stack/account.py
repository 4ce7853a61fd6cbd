"""The account that PostgreSQL runs under: it refuses to run as root, and containers and CI run as root."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coinrequest.stack.errors import StackError


@dataclass(frozen=True)
class Account:
    """An account that commands run under.

    Attributes:
        uid: the user; None for the caller's own.
        gid: the group; None for the caller's own.
        prefix: words before the command that switch to the account; empty if `popen_options` do.
    """

    uid: int | None = None
    gid: int | None = None
    prefix: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        """Make the account the owner of a file or folder."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def popen_options(self) -> dict[str, Any]:
        """Return the options of `subprocess.Popen` that run a command under the account."""
        if self.uid is None or self.prefix:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


CALLER = Account()


def database_account(*paths: Path) -> Account:
    """Return the account for PostgreSQL, which must be able to reach `paths`.

    Users other than root run it under their own account. For root it is `nobody`, so that no account has to be created.
    If `nobody` cannot enter one of the parent folders, such as /root, the command keeps the one capability that opens
    folders. The permissions of folders outside the stack are never changed.

    Raises:
        StackError: the caller is root, and `nobody` cannot reach the paths on this machine.
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
            "Run as another user, or move the project to a folder that others may enter, such as /opt."
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
