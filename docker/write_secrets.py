"""Generate the secrets of a Compose installation at its first start, and give each process its own.

`python write_secrets.py FOLDER` keeps all secrets in FOLDER/all and writes, each below a folder that is a volume of
its own, the file that one process loads. It repeats without changing anything.

Who gets what is the table of `coinrequest.stack.environment`: an agent gets neither the metadata database's
credentials nor the secret that signs the tokens of tasks.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from coinrequest.install.secrets import OWN_CHANNEL_VARIABLE, PASSWORD_VARIABLE, ROLES, Secrets, ensure_secrets

_SERVERS = ("migrate", "api-server", "scheduler", "dag-processor", "triggerer")


def server_environment(process: str, secrets: Secrets) -> dict[str, str]:
    """Return the secrets of one process of Airflow that uses the metadata database."""
    variables = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql://airflow:{secrets.postgres_owner}@postgres:5432/airflow",
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "COINREQUEST_REGISTRY_URL": _registry_url(secrets),
    }
    if process in ("api-server", "scheduler"):
        variables["AIRFLOW__API_AUTH__JWT_SECRET"] = secrets.jwt_secret
        variables["AIRFLOW__CELERY__BROKER_URL"] = _redis_url(secrets, 0)
    if process == "api-server":
        variables["AIRFLOW__API__SECRET_KEY"] = secrets.api_secret_key
    if process == "scheduler":
        variables["AIRFLOW__CELERY__RESULT_BACKEND"] = _redis_url(secrets, 1)
    if process == "migrate":
        variables |= {PASSWORD_VARIABLE.format(role=role.upper()): secrets.password(role) for role in ROLES}
    return variables


def channel_environment(secrets: Secrets) -> dict[str, str]:
    """Return where the message channel is: beside Celery's databases, or in the RabbitMQ of the profile."""
    return {
        OWN_CHANNEL_VARIABLE: _redis_url(secrets, 2),
        "COINREQUEST_RABBITMQ_URL": f"amqp://coinrequest:{secrets.rabbitmq}@rabbitmq:5672//",
    }


def gateway_environment(secrets: Secrets) -> dict[str, str]:
    """Return the secrets of a gateway: it signs no tokens, and has the message channel."""
    return {**server_environment("gateway", secrets), **channel_environment(secrets)}


def agent_environment(secrets: Secrets) -> dict[str, str]:
    """Return the secrets of an agent: the broker, the result backend and the registry, which it can only read."""
    return {
        "AIRFLOW__CELERY__BROKER_URL": _redis_url(secrets, 0),
        "AIRFLOW__CELERY__RESULT_BACKEND": _redis_url(secrets, 1),
        "COINREQUEST_REGISTRY_URL": _registry_url(secrets),
    }


def flower_environment(secrets: Secrets) -> dict[str, str]:
    """Return the secrets of Flower: the broker, which it watches, and the sign-in to its page."""
    return {
        "AIRFLOW__CELERY__BROKER_URL": _redis_url(secrets, 0),
        "AIRFLOW__CELERY__FLOWER_BASIC_AUTH": f"admin:{secrets.flower}",
    }


def rabbitmq_environment(secrets: Secrets) -> dict[str, str]:
    """Return the account that RabbitMQ's image creates at its first start."""
    return {"RABBITMQ_DEFAULT_USER": "coinrequest", "RABBITMQ_DEFAULT_PASS": secrets.rabbitmq}


def postgres_environment(secrets: Secrets) -> dict[str, str]:
    """Return the passwords of the database's roles."""
    return {
        "POSTGRES_PASSWORD": secrets.postgres_superuser,
        "COINREQUEST_OWNER_PASSWORD": secrets.postgres_owner,
        "COINREQUEST_READER_PASSWORD": secrets.postgres_reader,
    }


def sign_in(secrets: Secrets, url: str) -> dict[str, str]:
    """Return the installation's address and its users, under the names that the embedded stack uses too."""
    variables = {
        "COINREQUEST_URL": url,
        "COINREQUEST_USERNAME": "admin",
        "COINREQUEST_PASSWORD": secrets.admin,
        "COINREQUEST_FLOWER_PASSWORD": secrets.flower,
        "COINREQUEST_RABBITMQ_PASSWORD": secrets.rabbitmq,
    }
    for role in ROLES:
        variables[f"COINREQUEST_{role.upper()}_USERNAME"] = role
        variables[f"COINREQUEST_{role.upper()}_PASSWORD"] = secrets.password(role)
    return variables


def write_all(folder: Path, url: str) -> None:
    """Generate what is missing and write every file.

    Args:
        folder: gets a folder for each circle of processes; with Compose each of them is a volume that is there already.
        url: the address under which people reach the installation.
    """
    (folder / "all").mkdir(parents=True, exist_ok=True)
    secrets = ensure_secrets(folder / "all" / "secrets.json")
    # The accounts of these three servers are their images' own affair; each volume is mounted by its server alone.
    _write(folder / "postgres" / "postgres.env", _exports(postgres_environment(secrets)), 0o444)
    _write(folder / "rabbitmq" / "rabbitmq.env", _exports(rabbitmq_environment(secrets)), 0o444)
    _write(folder / "redis" / "redis.conf", f"requirepass {secrets.redis}\n", 0o444)
    for process in _SERVERS:
        _write(folder / "servers" / f"{process}.env", _exports(server_environment(process, secrets)), 0o400)
    _write(folder / "gateway" / "gateway.env", _exports(gateway_environment(secrets)), 0o400)
    _write(folder / "agents" / "agent.env", _exports(agent_environment(secrets)), 0o400)
    _write(folder / "channel" / "channel.env", _exports(channel_environment(secrets)), 0o400)
    _write(folder / "flower" / "flower.env", _exports(flower_environment(secrets)), 0o400)
    _write(folder / "people" / "sign-in.env", _exports(sign_in(secrets, url)), 0o400)


def _registry_url(secrets: Secrets) -> str:
    return f"postgresql://coinrequest_reader:{secrets.postgres_reader}@postgres:5432/airflow"


def _redis_url(secrets: Secrets, database: int) -> str:
    return f"redis://:{secrets.redis}@redis:6379/{database}"


def _exports(variables: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file in one step; nobody ever reads half of one."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        # The account's umask may have taken something away.
        os.fchmod(handle, mode)
        file.write(text)
    temporary.replace(path)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]), os.environ["COINREQUEST_BASE_URL"])
