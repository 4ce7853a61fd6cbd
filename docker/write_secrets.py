"""Generate the secrets of a Compose installation at its first start, and give each process its own.

`python write_secrets.py FOLDER` keeps all secrets in FOLDER/all. For each process it writes a file of exports, into a
folder that is a volume of its own or of processes that may know the same. Repeating it changes nothing.

`coinrequest.install.process_secrets` decides which process gets which secret.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from coinrequest.install.process_secrets import channel_url, process_secrets
from coinrequest.install.secrets import OWN_CHANNEL_VARIABLE, ROLES, Secrets, ensure_secrets

# The servers as the other containers reach them.
_POSTGRES = "postgres:5432"
_REDIS = "redis:6379"
# The processes that read the volume `servers`, and the names of their files.
_SERVERS = {
    "prepare": "migrate",
    "api-server": "api-server",
    "scheduler": "scheduler",
    "dag-processor": "dag-processor",
    "triggerer": "triggerer",
}


def channel_environment(secrets: Secrets) -> dict[str, str]:
    """Return the URLs of the message channel: over the installation's Redis, and over the RabbitMQ of the profile."""
    return {
        OWN_CHANNEL_VARIABLE: channel_url(_REDIS, secrets),
        "COINREQUEST_RABBITMQ_URL": f"amqp://coinrequest:{secrets.rabbitmq}@rabbitmq:5672//",
    }


def rabbitmq_environment(secrets: Secrets) -> dict[str, str]:
    """Return the account that the RabbitMQ image creates at its first start."""
    return {"RABBITMQ_DEFAULT_USER": "coinrequest", "RABBITMQ_DEFAULT_PASS": secrets.rabbitmq}


def postgres_environment(secrets: Secrets) -> dict[str, str]:
    """Return the passwords of the database roles."""
    return {
        "POSTGRES_PASSWORD": secrets.postgres_superuser,
        "COINREQUEST_OWNER_PASSWORD": secrets.postgres_owner,
        "COINREQUEST_READER_PASSWORD": secrets.postgres_reader,
    }


def sign_in(secrets: Secrets, url: str) -> dict[str, str]:
    """Return the address of the installation and its users, in the same variables as the embedded stack."""
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
    """Generate the secrets that are missing, and write every file.

    Args:
        folder: gets the folders; in Compose each of them is a volume that exists already.
        url: the address of the installation in a browser.
    """
    (folder / "all").mkdir(parents=True, exist_ok=True)
    secrets = ensure_secrets(folder / "all" / "secrets.json")
    # Each image of these three servers has an account of its own, and no other process mounts the volume.
    _write(folder / "postgres" / "postgres.env", _exports(postgres_environment(secrets)), 0o444)
    _write(folder / "rabbitmq" / "rabbitmq.env", _exports(rabbitmq_environment(secrets)), 0o444)
    _write(folder / "redis" / "redis.conf", f"requirepass {secrets.redis}\n", 0o444)
    channel = channel_environment(secrets)
    for process, name in _SERVERS.items():
        _write(folder / "servers" / f"{name}.env", _exports(_environment(process, secrets)), 0o400)
    _write(folder / "gateway" / "gateway.env", _exports(_environment("gateway", secrets) | channel), 0o400)
    _write(folder / "agents" / "agent.env", _exports(_environment("agent", secrets)), 0o400)
    _write(folder / "channel" / "channel.env", _exports(channel), 0o400)
    _write(folder / "flower" / "flower.env", _exports(_environment("flower", secrets)), 0o400)
    _write(folder / "people" / "sign-in.env", _exports(sign_in(secrets, url)), 0o400)


def _environment(process: str, secrets: Secrets) -> dict[str, str]:
    return process_secrets(process, secrets, postgres=_POSTGRES, redis=_REDIS)


def _exports(variables: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file atomically."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        # The umask of the account may have removed permissions.
        os.fchmod(handle, mode)
        file.write(text)
    temporary.replace(path)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]), os.environ["COINREQUEST_BASE_URL"])
