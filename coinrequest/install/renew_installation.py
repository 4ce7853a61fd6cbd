"""Gives the installation a new id after a manual restore: `python -m coinrequest.install.renew_installation`.

Agents and the dag-processor cache revisions by this id and their number, and a restored database assigns the same
numbers to other definitions. No process has to be restarted.
"""

import sys

from sqlalchemy import text

from coinrequest.airflow.session import airflow_session


def main() -> int:
    """Renew the id in the configured database; return the exit code."""
    with airflow_session() as session:
        if session.scalar(text("SELECT to_regclass('public.coinrequest_installation')")) is None:
            sys.stdout.write("The database has no installation id yet; `airflow db migrate` creates one.\n")
            return 0
        renewed = session.scalar(text("SELECT public.coinrequest_renew_installation()"))
    sys.stdout.write(f"The installation has a new id: {renewed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
