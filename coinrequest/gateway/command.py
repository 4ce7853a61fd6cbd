"""The command `coinrequest gateway`."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from coinrequest import settings
from coinrequest.settings import SettingInvalid, SettingMissing

_SCHEMES = ("amqp://", "amqps://", "redis://", "rediss://")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return argparse.ArgumentParser(
        prog="coinrequest gateway",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Create jobs from the channel's messages, and deliver results and notices. Any number may run.",
        epilog="""\
environment:
  AIRFLOW__DATABASE__SQL_ALCHEMY_CONN  the metadata database, PostgreSQL
  AIRFLOW__CORE__FERNET_KEY            the key of the installation, for the secrets of webhooks
  COINREQUEST_CHANNEL_URL              the broker, amqp://... or redis://...; if unset, there are only notices

exit codes: 0 stopped by SIGTERM or SIGINT, 1 failed, 2 settings are missing or invalid
""",
    )


def main(words: Sequence[str] = ()) -> int:
    """Run a gateway until it is stopped by a signal; return the exit code.

    Args:
        words: the command line after `coinrequest gateway`.
    """
    parser().parse_args(words)
    try:
        channel, database = _channel_url(), _database_url()
    except (SettingInvalid, SettingMissing) as error:
        sys.stderr.write(f"coinrequest gateway: {error}\n")
        return 2
    _configure_logging()
    from coinrequest.gateway.process import Gateway

    gateway = Gateway(channel, database)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gateway.stop())
    code = gateway.run()
    logging.shutdown()
    sys.stderr.flush()
    # Python would wait for the thread of a notice whose receiver hangs.
    os._exit(code)


def _channel_url() -> str | None:
    from coinrequest.airflow import celery_pool

    url = settings.channel_url()
    if url is not None and not url.startswith(_SCHEMES):
        raise SettingInvalid(f"COINREQUEST_CHANNEL_URL must begin with one of {', '.join(_SCHEMES)}")
    own = _redis_database(url or "")
    if own is not None and own == _redis_database(celery_pool.broker_url() or ""):
        raise SettingInvalid(
            "COINREQUEST_CHANNEL_URL names the Redis database that Celery uses, and a queue of tasks may have the name "
            "of a queue of the channel: give the channel its own database, such as .../2"
        )
    return url


def _redis_database(url: str) -> tuple[str, int, str] | None:
    """Return the host, port and database of a Redis URL; None if the broker is not Redis."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss"):
        return None
    named = parse_qs(parts.query).get("db", [""])[-1]
    return (parts.hostname or "localhost").lower(), parts.port or 6379, named or parts.path.strip("/") or "0"


def _database_url() -> str:
    """Return the URL of Airflow's metadata database, in the form that libpq accepts."""
    from coinrequest.airflow import metadata_database

    url = metadata_database.url()
    if url is None:
        raise SettingMissing(
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN is not set: set it to the PostgreSQL URL of the metadata database"
        )
    return url


def _configure_logging() -> None:
    # Importing Airflow configured logging for its own processes.
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    for name in ("amqp", "kombu", "alembic", "airflow", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
