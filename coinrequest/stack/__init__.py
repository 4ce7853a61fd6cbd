"""The embedded stack: PostgreSQL, Redis and every Airflow process, on one machine, with Python alone."""

from coinrequest.stack.errors import StackError, StackNotRunning, StartFailed
from coinrequest.stack.handle import Credentials, Stack
from coinrequest.stack.options import Options

__all__ = ["Credentials", "Options", "Stack", "StackError", "StackNotRunning", "StartFailed"]
