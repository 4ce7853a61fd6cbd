"""A fingerprint of the software, by which a start knows that the database is already prepared."""

import hashlib
from importlib.metadata import distributions
from pathlib import Path

from coinrequest.install.secrets import Secrets
from coinrequest.stack.layout import Layout, project_root

_SUFFIXES = frozenset({".py", ".ini", ".cfg", ".yaml", ".yml", ".json", ".mako", ".sql"})


def fingerprint(secrets: Secrets, overrides: object = None) -> str:
    """Return a digest of the project's files, the Airflow packages, the users' passwords and the options."""
    digest = hashlib.sha256()
    project = project_root()
    for folder in ("coinrequest", "config"):
        for path in sorted((project / folder).rglob("*")):
            if path.suffix in _SUFFIXES and path.is_file():
                digest.update(str(path.relative_to(project)).encode() + b"\0" + path.read_bytes() + b"\0")
    installed = {
        f"{found.metadata['Name']}=={found.version}"
        for found in distributions()
        if str(found.metadata["Name"]).startswith("apache-airflow")
    }
    digest.update(repr(sorted(installed)).encode())
    digest.update(repr(overrides).encode())
    digest.update(hashlib.sha256("".join(map(secrets.password, ("admin", "op", "user", "viewer"))).encode()).digest())
    return digest.hexdigest()


def is_prepared(layout: Layout, fingerprint: str) -> bool:
    """Return whether software with this fingerprint has prepared the stack's database."""
    return _read(layout.prepared) == fingerprint


def mark_prepared(layout: Layout, fingerprint: str) -> None:
    """Record that software with this fingerprint has prepared the database."""
    layout.prepared.write_text(fingerprint)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
