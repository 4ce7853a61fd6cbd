"""Timeouts of connections to a database server that is gone (`[database] sql_alchemy_connect_args`).

By default libpq uses the kernel's: two hours for an idle connection, a quarter of an hour for a statement that nobody
acknowledged. After a failover, or when a firewall dropped the connection, a process would hang that long. A server that
runs and does not answer is another case: its kernel still acknowledges
(`coinrequest.airflow.api_server.database_timeout`).
"""

from collections.abc import Mapping
from typing import Any

# `tcp_user_timeout` is in milliseconds, the others in seconds.
CONNECT_ARGS: Mapping[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
}


def __getattr__(name: str) -> Any:
    """Return `AIRFLOW_CONNECT_ARGS`, a new dictionary each time: Airflow writes into it (Airflow 3.3.2).

    An agent has no access to Airflow's database. Its URL there is Airflow's default, which is SQLite.
    """
    if name != "AIRFLOW_CONNECT_ARGS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow.configuration import conf

    return dict(CONNECT_ARGS) if conf.get("database", "sql_alchemy_conn").startswith("postgresql") else {}
