"""Which process gets which secret. The embedded stack and the containers use this one table.

An agent runs definitions that others wrote, so it can neither read the metadata database nor sign the token of a task.
Only gateways know the broker of the message channel, whose URL each kind of installation chooses by itself.
"""

from collections.abc import Mapping

from coinrequest.install.secrets import PASSWORD_VARIABLE, ROLES, Secrets

# The metadata database, the role that owns it, and the role that only reads job types.
DATABASE = "airflow"
OWNER = "airflow"
READER = "coinrequest_reader"

_WITH_METADATA_DATABASE = frozenset({"prepare", "api-server", "scheduler", "dag-processor", "triggerer", "gateway"})

_RECEIVERS: Mapping[str, frozenset[str]] = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _WITH_METADATA_DATABASE,
    "AIRFLOW__CORE__FERNET_KEY": _WITH_METADATA_DATABASE,
    # The registry, as the role that can only read it.
    "COINREQUEST_REGISTRY_URL": _WITH_METADATA_DATABASE | {"agent"},
    # Signs the tokens of tasks.
    "AIRFLOW__API_AUTH__JWT_SECRET": frozenset({"api-server", "scheduler"}),
    # Signs the cookies of web sessions.
    "AIRFLOW__API__SECRET_KEY": frozenset({"api-server"}),
    # The API server checks the health of the broker.
    "AIRFLOW__CELERY__BROKER_URL": frozenset({"api-server", "scheduler", "agent", "flower"}),
    "AIRFLOW__CELERY__RESULT_BACKEND": frozenset({"scheduler", "agent"}),
    "AIRFLOW__CELERY__FLOWER_BASIC_AUTH": frozenset({"flower"}),
    **{PASSWORD_VARIABLE.format(role=role.upper()): frozenset({"prepare"}) for role in ROLES},
}


def process_secrets(process: str, secrets: Secrets, *, postgres: str, redis: str) -> dict[str, str]:
    """Return the environment variables that hold the secrets of a process.

    Args:
        process: `prepare`, `api-server`, `scheduler`, `dag-processor`, `triggerer`, `gateway`, `agent` or `flower`.
        secrets: the secrets of the installation.
        postgres: the PostgreSQL server, as `host:port`.
        redis: the Redis server, as `host:port`.
    """
    variables = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url(postgres, OWNER, secrets.postgres_owner),
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "COINREQUEST_REGISTRY_URL": database_url(postgres, READER, secrets.postgres_reader),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__CELERY__BROKER_URL": _redis_url(redis, secrets, 0),
        "AIRFLOW__CELERY__RESULT_BACKEND": _redis_url(redis, secrets, 1),
        "AIRFLOW__CELERY__FLOWER_BASIC_AUTH": f"admin:{secrets.flower}",
        **{PASSWORD_VARIABLE.format(role=role.upper()): secrets.password(role) for role in ROLES},
    }
    return {name: value for name, value in variables.items() if process in _RECEIVERS[name]}


def database_url(postgres: str, user: str, password: str) -> str:
    """Return the URL of the metadata database for one role; `postgres` is `host:port`."""
    return f"postgresql://{user}:{password}@{postgres}/{DATABASE}"


def channel_url(redis: str, secrets: Secrets) -> str:
    """Return the URL of the message channel over the installation's own Redis, beside Celery's two databases."""
    return _redis_url(redis, secrets, 2)


def _redis_url(redis: str, secrets: Secrets, database: int) -> str:
    return f"redis://:{secrets.redis}@{redis}/{database}"
