"""How long a connection to the database waits for a server that is gone (`[database] sql_alchemy_connect_args`).

libpq's own limits are those of the kernel: two hours for a connection that is idle, a quarter of an hour for a
statement that nobody received. After a failover, or a firewall that forgot a connection, a process would stand still.
A server that is alive and silent is another matter (`coinrequest.api.patience`): its kernel goes on answering.
"""

# Milliseconds for `tcp_user_timeout`, else seconds.
CONNECT_ARGS = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
}
