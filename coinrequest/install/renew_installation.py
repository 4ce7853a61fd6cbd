"""Gives the installation a new id, after a backup was restored by hand.

`python -m coinrequest.install.renew_installation` does it.

What agents and the dag-processor keep of the revisions, they keep by that id; a restored database gives the same
numbers to other definitions. No process has to be restarted for it.
"""

import sys

from sqlalchemy import text

from coinrequest.airflow.session import airflow_session


def main() -> int:
    """Do it on the database of the environment; return the exit code."""
    with airflow_session() as session:
        if session.scalar(text("SELECT to_regclass('public.coinrequest_installation')")) is None:
            sys.stdout.write("The database is from before there were ids; `airflow db migrate` makes one.\n")
            return 0
        renewed = session.scalar(text("SELECT public.coinrequest_renew_installation()"))
    sys.stdout.write(f"The installation has a new id: {renewed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
