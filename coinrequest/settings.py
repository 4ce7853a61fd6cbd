"""Settings from environment variables.

Each function reads the environment when it is called, so that tests, and processes that change their environment before
a fork, get the values that they set. Secrets are read here and nowhere else.
"""

import os
from collections.abc import Mapping
from datetime import timedelta

from coinrequest.durations import DurationInvalid, parse_duration
from coinrequest.errors import CoinrequestError

DEFAULT_QUEUE = "default"


class SettingMissing(CoinrequestError, RuntimeError):
    """A required variable is not set; the message names it and explains how to set it."""


class SettingInvalid(CoinrequestError, RuntimeError):
    """A variable has an invalid value; the message names it and the valid ones."""


def _required(variable: str, remedy: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise SettingMissing(f"{variable} is not set: {remedy}")
    return value


def registry_url() -> str:
    """Return the PostgreSQL URL from which this process reads job types; on agents, that of a read-only role.

    Raises:
        SettingMissing: `COINREQUEST_REGISTRY_URL` is not set.
    """
    return _required(
        "COINREQUEST_REGISTRY_URL",
        "give the PostgreSQL URL of the read-only role, for example postgresql://reader@host/airflow",
    )


def base_url() -> str:
    """Return the public URL of the installation, without a trailing slash."""
    return os.environ.get("COINREQUEST_BASE_URL", "http://localhost:8080").rstrip("/")


def allowed_networks() -> tuple[str, ...]:
    """Return the networks and host names with private addresses that actions may connect to."""
    names = os.environ.get("COINREQUEST_ALLOWED_NETWORKS", "").split(",")
    return tuple(name.strip() for name in names if name.strip())


def smtp_url() -> str | None:
    """Return `smtp://[user:password@]host[:port]` or `smtps://...`; None: mail is only logged."""
    return os.environ.get("COINREQUEST_SMTP_URL") or None


def mail_from() -> str:
    """Return the sender's address of all mail."""
    return os.environ.get("COINREQUEST_MAIL_FROM", "coinrequest@localhost")


def mail_to() -> tuple[str, ...]:
    """Return the default recipients of mail."""
    addresses = os.environ.get("COINREQUEST_MAIL_TO", "").split(",")
    return tuple(address.strip() for address in addresses if address.strip())


def price_sources() -> tuple[str, ...]:
    """Return the names of the sources of coin prices, in the order in which they are queried."""
    names = os.environ.get("COINREQUEST_PRICE_SOURCE", "").split(",")
    return tuple(name.strip().lower() for name in names if name.strip()) or ("coinbase",)


def price_url(source: str) -> str | None:
    """Return the base URL that overrides a price source's own; None: the documented public one.

    The variable is `COINREQUEST_PRICE_URL_KRAKEN` for `kraken`, `COINREQUEST_PRICE_URL_CCXT_BINANCE` for
    `ccxt:binance`. `COINREQUEST_PRICE_URL` is for the source in `COINREQUEST_PRICE_SOURCE`, if there is only one.

    Raises:
        SettingInvalid: `COINREQUEST_PRICE_URL` is set, but there are several sources.
    """
    own = os.environ.get(f"COINREQUEST_PRICE_URL_{source.upper().replace(':', '_')}")
    url = os.environ.get("COINREQUEST_PRICE_URL")
    configured = price_sources()
    if own or not url or source not in configured:
        return own or None
    if len(configured) > 1:
        raise SettingInvalid(
            f"COINREQUEST_PRICE_URL is for one source, but COINREQUEST_PRICE_SOURCE names {len(configured)}; "
            f"set COINREQUEST_PRICE_URL_{source.upper().replace(':', '_')} and the like"
        )
    return url


def channel_url() -> str | None:
    """Return the URL of the channel's broker, `amqp://...` or `redis://...`; None: there is no channel."""
    return os.environ.get("COINREQUEST_CHANNEL_URL") or None


def job_retention() -> timedelta:
    """Return how long jobs and their results are kept after they have ended.

    Raises:
        SettingInvalid: `COINREQUEST_JOB_RETENTION` is not a duration.
    """
    return _duration("COINREQUEST_JOB_RETENTION", "30d")


def key_lifetime() -> timedelta:
    """Return how long an idempotency key is remembered.

    Raises:
        SettingInvalid: `COINREQUEST_KEY_LIFETIME` is not a duration.
    """
    return _duration("COINREQUEST_KEY_LIFETIME", "24h")


def metrics_token() -> str | None:
    """Return the token with which a monitoring system reads the metrics; None: only users may read them."""
    return os.environ.get("COINREQUEST_METRICS_TOKEN") or None


def cloudwatch_namespace() -> str | None:
    """Return the CloudWatch namespace of the metrics that gateways write to standard output; None: they write none."""
    return os.environ.get("COINREQUEST_CLOUDWATCH_NAMESPACE") or None


def heartbeat_file() -> str | None:
    """Return the file that an agent touches every 2 s while it works; None: it does not."""
    return os.environ.get("COINREQUEST_HEARTBEAT_FILE") or None


def queues() -> tuple[str, ...]:
    """Return the queues that agents of this installation serve; if empty, definitions may name any queue."""
    named = _listed("COINREQUEST_QUEUES")
    return tuple(dict.fromkeys((DEFAULT_QUEUE, *named))) if named else ()


def type_share() -> int:
    """Return the percentage of a queue's slots that one type may use while no other type has tasks (1 to 100).

    Raises:
        SettingInvalid: `COINREQUEST_TYPE_SHARE` is not such a percentage.
    """
    text = os.environ.get("COINREQUEST_TYPE_SHARE") or "80"
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 100):
        raise SettingInvalid(f"COINREQUEST_TYPE_SHARE must be a whole number from 1 to 100, not {text[:20]!r}")
    return int(text)


def sql_connections() -> Mapping[str, bool]:
    """Return the Airflow connections that `sql.query` may use, by name, and whether it may write.

    `COINREQUEST_SQL_CONNECTIONS` lists them, separated by commas: `name` for reading only, or `name:write`.

    Raises:
        SettingInvalid: an entry has neither form.
    """
    variable = "COINREQUEST_SQL_CONNECTIONS"
    granted = {}
    for entry in _listed(variable):
        name, colon, right = entry.partition(":")
        if not name or (colon and right != "write"):
            raise SettingInvalid(f"{variable}: write name, or name:write, not {entry!r}")
        granted[name] = bool(colon)
    return granted


def container_images() -> tuple[str, ...]:
    """Return the patterns of images that `container.run` may use; if empty, it is disabled."""
    return _listed("COINREQUEST_CONTAINER_IMAGES")


def container_runtime() -> str:
    """Return what runs the containers of `container.run`, `docker` or `kubernetes`.

    Raises:
        SettingInvalid: `COINREQUEST_CONTAINER_RUNTIME` is neither.
    """
    runtime = os.environ.get("COINREQUEST_CONTAINER_RUNTIME") or "docker"
    if runtime not in ("docker", "kubernetes"):
        raise SettingInvalid(f"COINREQUEST_CONTAINER_RUNTIME must be docker or kubernetes, not {runtime!r}")
    return runtime


def container_network() -> str | None:
    """Return the Docker network of containers whose definitions request a network; None: no container gets one.

    On Kubernetes, pods use the cluster's network; any name here allows definitions to request it.

    Raises:
        SettingInvalid: `COINREQUEST_CONTAINER_NETWORK` would share the network of the host or of another container.
    """
    network = os.environ.get("COINREQUEST_CONTAINER_NETWORK") or None
    if network is not None and (network in ("host", "none", "default") or ":" in network):
        raise SettingInvalid(f"COINREQUEST_CONTAINER_NETWORK must be a network such as bridge, not {network!r}")
    return network


def container_engine() -> str | None:
    """Return the address of the Docker engine, such as `unix:///run/user/1000/docker.sock`; None: Docker's default."""
    return os.environ.get("COINREQUEST_CONTAINER_ENGINE") or None


def container_namespace() -> str | None:
    """Return the Kubernetes namespace of the pods; None: the agent's own, or `default` outside a cluster."""
    return os.environ.get("COINREQUEST_CONTAINER_NAMESPACE") or None


def _listed(variable: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in os.environ.get(variable, "").split(",") if entry.strip())


def _duration(variable: str, default: str) -> timedelta:
    text = os.environ.get(variable) or default
    try:
        return parse_duration(text, longest=timedelta.max)
    except DurationInvalid as error:
        raise SettingInvalid(f"{variable} {error}, not {text!r}") from None
