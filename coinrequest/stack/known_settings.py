"""The settings that a person may give to a stack, with their defaults."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from coinrequest import settings
from coinrequest.jobtypes.suggestions import nearest

PREFIX = "COINREQUEST_"
# One for each source of prices, such as COINREQUEST_PRICE_URL_KRAKEN.
_OF_SOURCES = "COINREQUEST_PRICE_URL_"
# Set by the stack: a person's value would be wrong.
SET_BY_THE_STACK = frozenset({"COINREQUEST_BASE_URL", "COINREQUEST_REGISTRY_URL"})


@dataclass(frozen=True)
class Setting:
    """A setting.

    Attributes:
        name: the variable.
        text: what it decides.
        default: the value if it is not set; empty: none.
        example: a value, for a setting without a default.
        secret: whether its value is never shown.
        read: reads it, and raises `SettingInvalid` for a value that it cannot have.
    """

    name: str
    text: str
    default: str = ""
    example: str = ""
    secret: bool = False
    read: Callable[[], object] = lambda: None


def _price_urls() -> list[str | None]:
    return [settings.price_url(source) for source in settings.price_sources()]


SETTINGS = (
    Setting("COINREQUEST_AGENTS", "number of agents, each a process", "1"),
    Setting("COINREQUEST_CONCURRENCY", "tasks that an agent runs at the same time", "4"),
    Setting("COINREQUEST_PORT", "port of the web server; if not set, any free port, which is kept", example="8080"),
    Setting(
        "COINREQUEST_ALLOWED_NETWORKS",
        "networks and hosts with private addresses that jobs may reach",
        "127.0.0.1/32",
        read=settings.allowed_networks,
    ),
    Setting(
        "COINREQUEST_CHANNEL_URL",
        "broker of the message channel; if not set, the stack's own Redis; empty: no channel",
        example="amqp://me:secret@broker/",
        read=settings.channel_url,
    ),
    Setting("COINREQUEST_JOB_RETENTION", "how long jobs and results are kept", "30d", read=settings.job_retention),
    Setting("COINREQUEST_KEY_LIFETIME", "how long an idempotency key is remembered", "24h", read=settings.key_lifetime),
    Setting(
        "COINREQUEST_QUEUES",
        "the queues that exist besides default; if not set, definitions may name any",
        example="reports,mail",
        read=settings.queues,
    ),
    Setting(
        "COINREQUEST_TYPE_SHARE",
        "percentage of a queue's slots that one type may use while it is alone",
        "80",
        read=settings.type_share,
    ),
    Setting(
        "COINREQUEST_SMTP_URL",
        "mail server of mail that names no connection",
        example="smtp://me:secret@mail.example.org:587",
        read=settings.smtp_url,
    ),
    Setting("COINREQUEST_MAIL_FROM", "sender of mail", "coinrequest@localhost", read=settings.mail_from),
    Setting(
        "COINREQUEST_MAIL_TO", "recipients of mail that names none", example="ops@example.org", read=settings.mail_to
    ),
    Setting("COINREQUEST_PRICE_SOURCE", "sources of prices, in this order", "coinbase", read=settings.price_sources),
    Setting(
        "COINREQUEST_PRICE_URL",
        "address of the source of prices, if there is one; COINREQUEST_PRICE_URL_KRAKEN and the like for several",
        example="https://mirror.example.org",
        read=_price_urls,
    ),
    Setting(
        "COINREQUEST_SQL_CONNECTIONS",
        "Airflow connections that sql.query may use, for reading or also for writing",
        example="warehouse,reports:write",
        read=settings.sql_connections,
    ),
    Setting(
        "COINREQUEST_CONTAINER_IMAGES",
        "images that container.run may use",
        example="python:3.12-slim",
        read=settings.container_images,
    ),
    Setting(
        "COINREQUEST_CONTAINER_RUNTIME",
        "what runs containers, docker or kubernetes",
        "docker",
        read=settings.container_runtime,
    ),
    Setting(
        "COINREQUEST_CONTAINER_NETWORK",
        "Docker network of containers that ask for one",
        example="bridge",
        read=settings.container_network,
    ),
    Setting(
        "COINREQUEST_CONTAINER_ENGINE",
        "address of the Docker engine",
        example="unix:///run/user/1000/docker.sock",
        read=settings.container_engine,
    ),
    Setting(
        "COINREQUEST_CONTAINER_NAMESPACE",
        "Kubernetes namespace of containers",
        example="jobs",
        read=settings.container_namespace,
    ),
    Setting(
        "COINREQUEST_METRICS_TOKEN",
        "token with which a monitoring system reads the metrics",
        example="a-long-random-text",
        secret=True,
        read=settings.metrics_token,
    ),
    Setting(
        "COINREQUEST_CLOUDWATCH_NAMESPACE",
        "gateways write metrics for CloudWatch under this name",
        example="coinrequest",
        read=settings.cloudwatch_namespace,
    ),
    Setting(
        "COINREQUEST_HEARTBEAT_FILE",
        "a file that an agent touches every 2 s while it works",
        example="/tmp/agent",  # noqa: S108 - an example
        read=settings.heartbeat_file,
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


def is_known(name: str) -> bool:
    """Return whether a variable is a setting of the stack."""
    return name in BY_NAME or (name.startswith(_OF_SOURCES) and len(name) > len(_OF_SOURCES))


def nearest_setting(name: str, among: Iterable[str] = BY_NAME) -> str | None:
    """Return the setting whose name is most similar; None: none is similar."""
    own = {known.removeprefix(PREFIX): known for known in among}
    found = nearest(name.upper().removeprefix(PREFIX), own)
    return None if found is None else own[found]
