"""Everything that the environment decides, in one place.

Each function reads the environment when it is called, so that a test, or a process that changes its own
environment before a fork, sees the value it set. Secrets come from here and from nowhere else.
"""

import os
from collections.abc import Mapping
from datetime import timedelta

from coinrequest.durations import DurationInvalid, parse_duration

DEFAULT_QUEUE = "default"


class SettingMissing(RuntimeError):
    """A variable that has no sane default is not set; the message names it and says how to set it."""


class SettingInvalid(RuntimeError):
    """A variable has a value that cannot be used; the message names it and says which can."""


def _required(variable: str, remedy: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise SettingMissing(f"{variable} is not set: {remedy}")
    return value


def registry_url() -> str:
    """Return the PostgreSQL URL under which this process reads job types (a read-only role on agents).

    Raises:
        SettingMissing: `COINREQUEST_REGISTRY_URL` is not set.
    """
    return _required(
        "COINREQUEST_REGISTRY_URL",
        "give the PostgreSQL URL of the read-only role, for example postgresql://reader@host/airflow",
    )


def base_url() -> str:
    """Return the public address of the installation, without a slash at its end."""
    return os.environ.get("COINREQUEST_BASE_URL", "http://localhost:8080").rstrip("/")


def allowed_networks() -> tuple[str, ...]:
    """Return the networks and host names that actions may reach although their addresses are private."""
    names = os.environ.get("COINREQUEST_ALLOWED_NETWORKS", "").split(",")
    return tuple(name.strip() for name in names if name.strip())


def smtp_url() -> str | None:
    """Return `smtp://[user:password@]host[:port]` or `smtps://...`; None: mail is only written to the log."""
    return os.environ.get("COINREQUEST_SMTP_URL") or None


def mail_from() -> str:
    """Return the sender's address of every mail."""
    return os.environ.get("COINREQUEST_MAIL_FROM", "coinrequest@localhost")


def mail_to() -> tuple[str, ...]:
    """Return the addresses that get a mail which names no recipient of its own."""
    addresses = os.environ.get("COINREQUEST_MAIL_TO", "").split(",")
    return tuple(address.strip() for address in addresses if address.strip())


def price_sources() -> tuple[str, ...]:
    """Return the names of the sources that are asked for coin prices, in order."""
    names = os.environ.get("COINREQUEST_PRICE_SOURCE", "").split(",")
    return tuple(name.strip().lower() for name in names if name.strip()) or ("coinbase",)


def price_url(source: str) -> str | None:
    """Return a base URL that replaces a price source's own; None: the documented public one.

    It is that of `COINREQUEST_PRICE_URL_KRAKEN` for `kraken`, of `COINREQUEST_PRICE_URL_CCXT_BINANCE` for
    `ccxt:binance`; `COINREQUEST_PRICE_URL` is for the one source that `COINREQUEST_PRICE_SOURCE` names.

    Raises:
        SettingInvalid: `COINREQUEST_PRICE_URL` is set, and there are several sources that it could be for.
    """
    own = os.environ.get(f"COINREQUEST_PRICE_URL_{source.upper().replace(':', '_')}")
    url = os.environ.get("COINREQUEST_PRICE_URL")
    configured = price_sources()
    if own or not url or source not in configured:
        return own or None
    if len(configured) > 1:
        raise SettingInvalid(
            f"COINREQUEST_PRICE_URL is for one source, and COINREQUEST_PRICE_SOURCE names {len(configured)}; "
            f"set COINREQUEST_PRICE_URL_{source.upper().replace(':', '_')} and the like"
        )
    return url


def channel_url() -> str | None:
    """Return the broker of the message channel, `amqp://...` or `redis://...`; None: there is no channel."""
    return os.environ.get("COINREQUEST_CHANNEL_URL") or None


def job_retention() -> timedelta:
    """Return how long jobs and their results are kept after they ended.

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
    """Return the token with which a monitoring system may read the metrics; None: only users may."""
    return os.environ.get("COINREQUEST_METRICS_TOKEN") or None


def cloudwatch_namespace() -> str | None:
    """Return the CloudWatch namespace of the metrics that gateways write to standard output; None: they write none."""
    return os.environ.get("COINREQUEST_CLOUDWATCH_NAMESPACE") or None


def heartbeat_file() -> str | None:
    """Return the file that an agent touches every 2 s while it works; None: it touches none."""
    return os.environ.get("COINREQUEST_HEARTBEAT_FILE") or None


def queues() -> tuple[str, ...]:
    """Return the queues that agents of this installation serve; none: any queue may be named."""
    named = _listed("COINREQUEST_QUEUES")
    return tuple(dict.fromkeys((DEFAULT_QUEUE, *named))) if named else ()


def type_share() -> int:
    """Return the percentage of a queue's slots that one type may hold while no other type is there (1 to 100).

    Raises:
        SettingInvalid: `COINREQUEST_TYPE_SHARE` is none.
    """
    text = os.environ.get("COINREQUEST_TYPE_SHARE") or "80"
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 100):
        raise SettingInvalid(f"COINREQUEST_TYPE_SHARE must be a whole number from 1 to 100, not {text[:20]!r}")
    return int(text)


def sql_connections() -> Mapping[str, bool]:
    """Return the Airflow connections that `sql.query` may use, by name: True where it may also write.

    `COINREQUEST_SQL_CONNECTIONS` lists them with commas, `name` for reading alone or `name:write`.

    Raises:
        SettingInvalid: an entry has another form.
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
    """Return the images that `container.run` may use, as the administrator wrote them; none: it is off."""
    return _listed("COINREQUEST_CONTAINER_IMAGES")


def container_runtime() -> str:
    """Return what runs the containers of `container.run`: `docker` or `kubernetes`.

    Raises:
        SettingInvalid: `COINREQUEST_CONTAINER_RUNTIME` is neither.
    """
    runtime = os.environ.get("COINREQUEST_CONTAINER_RUNTIME") or "docker"
    if runtime not in ("docker", "kubernetes"):
        raise SettingInvalid(f"COINREQUEST_CONTAINER_RUNTIME must be docker or kubernetes, not {runtime!r}")
    return runtime


def container_network() -> str | None:
    """Return the Docker network of containers that ask for one; None: they get none, whoever asks.

    On Kubernetes a pod has the cluster's network; any name here lets definitions ask for it.

    Raises:
        SettingInvalid: `COINREQUEST_CONTAINER_NETWORK` would share the network of a machine or of another container.
    """
    network = os.environ.get("COINREQUEST_CONTAINER_NETWORK") or None
    if network is not None and (network in ("host", "none", "default") or ":" in network):
        raise SettingInvalid(f"COINREQUEST_CONTAINER_NETWORK must be a network such as bridge, not {network!r}")
    return network


def container_engine() -> str | None:
    """Return the address of the Docker engine, such as `unix:///run/user/1000/docker.sock`; None: Docker's own way."""
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
