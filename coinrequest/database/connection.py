"""How long a connection to the database waits for a server that is gone (`[database] sql_alchemy_connect_args`).

libpq's own limits are those of the kernel: two hours for a connection that is idle, a quarter of an hour for a
statement that nobody received. After a failover, or a firewall that forgot a connection, a process would stand still.
A server that is alive and silent is another matter (`coinrequest.airflow.api_server.patience`): its kernel answers.
"""

from collections.abc import Mapping
from typing import Any

# Milliseconds for `tcp_user_timeout`, else seconds.
CONNECT_ARGS: Mapping[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
}


def __getattr__(name: str) -> Any:
    """Return `AIRFLOW_CONNECT_ARGS`, made anew each time: Airflow writes into it (Airflow 3.3.2).

    An agent has no database of Airflow's, and so Airflow's default there, which is SQLite.
    """
    if name != "AIRFLOW_CONNECT_ARGS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow.configuration import conf

    return dict(CONNECT_ARGS) if conf.get("database", "sql_alchemy_conn").startswith("postgresql") else {}
