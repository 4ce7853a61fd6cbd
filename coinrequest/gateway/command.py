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
        description="Bring job messages in from the channel, and take results and notices out. Any number may run.",
        epilog="""\
environment:
  AIRFLOW__DATABASE__SQL_ALCHEMY_CONN  the metadata database, PostgreSQL
  AIRFLOW__CORE__FERNET_KEY            the key of the installation, for the secrets of webhooks
  COINREQUEST_CHANNEL_URL              the broker, amqp://... or redis://...; unset: no channel, notices alone

exit codes: 0 stopped by SIGTERM or SIGINT, 1 failed, 2 settings are missing
""",
    )


def main(words: Sequence[str] = ()) -> int:
    """Run a gateway until it is told to stop; return the exit code.

    Args:
        words: the command line behind `coinrequest gateway`.
    """
    parser().parse_args(words)
    try:
        channel, database = _channel(), _database()
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
    # A notice to a receiver that hangs has a thread of its own, for which Python would wait.
    os._exit(code)


def _channel() -> str | None:
    from coinrequest.airflow import celery_pool

    url = settings.channel_url()
    if url is not None and not url.startswith(_SCHEMES):
        raise SettingInvalid(f"COINREQUEST_CHANNEL_URL must begin with one of {', '.join(_SCHEMES)}")
    own = _redis_database(url or "")
    if own is not None and own == _redis_database(celery_pool.broker_url() or ""):
        raise SettingInvalid(
            "COINREQUEST_CHANNEL_URL names the database of Redis that Celery has, where a task's queue may be called "
            "like one of the channel: give the channel a database of its own, such as .../2"
        )
    return url


def _redis_database(url: str) -> tuple[str, int, str] | None:
    """Return a server of Redis and its database; None: it is another broker."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss"):
        return None
    named = parse_qs(parts.query).get("db", [""])[-1]
    return (parts.hostname or "localhost").lower(), parts.port or 6379, named or parts.path.strip("/") or "0"


def _database() -> str:
    """Return the URL of Airflow's metadata database as PostgreSQL's own library reads it."""
    from coinrequest.airflow import metadata_database

    url = metadata_database.url()
    if url is None:
        raise SettingMissing(
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN is not set: give the PostgreSQL URL of the metadata database"
        )
    return url


def _configure_logging() -> None:
    # Importing Airflow has configured logging for its own processes.
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    for name in ("amqp", "kombu", "alembic", "airflow", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
