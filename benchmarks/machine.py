"""What the benchmarks ran on."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.stacks import database
from coinrequest.stack import Stack
from coinrequest.stack.servers import redis_binary

_PACKAGES = {
    "Airflow": "apache-airflow-core",
    "Celery": "celery",
    "Celery provider": "apache-airflow-providers-celery",
    "FAB": "apache-airflow-providers-fab",
}


def describe() -> dict[str, str]:
    """Return the machine and the versions of what is measured."""
    described = {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "Python": platform.python_version(),
        **{name: version(package) for name, package in _PACKAGES.items()},
    }
    words = subprocess.run([str(redis_binary()), "--version"], capture_output=True, text=True, check=False).stdout
    described["Redis"] = next((word[2:] for word in words.split() if word.startswith("v=")), words.strip())
    return described


def postgres_version(stack: Stack) -> str:
    """Return the version of a running stack's PostgreSQL."""
    with database(stack) as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


def _processor() -> str:
    listing = Path("/proc/cpuinfo")  # macOS has none
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")
