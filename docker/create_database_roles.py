"""Create the metadata database, its owner, and the role that agents use, on a server whose first user is no superuser.

That is the case on RDS; in containers docker/create-roles.sh does the same. Running it again updates the passwords. The
connection comes from libpq's variables (`PGHOST`, `PGUSER`, `PGPASSWORD`, ...), the passwords from
`COINREQUEST_OWNER_PASSWORD` and `COINREQUEST_READER_PASSWORD`.
"""

import os
import sys
from pathlib import Path

from coinrequest.install.database_roles import ensure_database


def main() -> int:
    """Create the database and the roles; return the exit code."""
    ensure_database(
        "",
        owner_password=os.environ["COINREQUEST_OWNER_PASSWORD"],
        reader_password=os.environ["COINREQUEST_READER_PASSWORD"],
        rights=Path(__file__).parent / "database-rights.psql",
    )
    sys.stdout.write("coinrequest: done: create database roles\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
