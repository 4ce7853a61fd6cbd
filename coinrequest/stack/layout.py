"""The paths of an embedded stack."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT_VARIABLE = "COINREQUEST_STACK_ROOT"


def project_root() -> Path:
    """Return the folder that holds `config/`, `dags/` and `plugins/` (the checkout)."""
    return Path(__file__).resolve().parents[2]


def default_root() -> Path:
    """Return the stack's folder: `COINREQUEST_STACK_ROOT`, or `.stack` in the project."""
    named = os.environ.get(ROOT_VARIABLE)
    return Path(named).expanduser().resolve() if named else project_root() / ".stack"


@dataclass(frozen=True)
class Layout:
    """The paths of a stack, which writes only below `root`."""

    root: Path

    @property
    def data(self) -> Path:
        """The data that is kept when the stack is down: databases, bundles, ports."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """The logs: one file for each process, and `tasks/` for those of tasks."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """The files that matter only while the stack is up."""
        return self.root / "run"

    @property
    def airflow_home(self) -> Path:
        """`AIRFLOW_HOME` of every process."""
        return self.data / "airflow"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.data / "postgres"

    @property
    def redis(self) -> Path:
        """Redis' working directory."""
        return self.data / "redis"

    @property
    def bundles(self) -> Path:
        """`[dag_processor] dag_bundle_storage_path`."""
        return self.data / "bundles"

    @property
    def ports(self) -> Path:
        """The ports of the stack."""
        return self.data / "ports.json"

    @property
    def prepared(self) -> Path:
        """The fingerprint of the software that prepared the database."""
        return self.data / "prepared"

    @property
    def secrets(self) -> Path:
        """The generated secrets, mode 0600."""
        return self.root / "secrets.json"

    @property
    def env(self) -> Path:
        """The variables that a shell needs to use the stack, mode 0600."""
        return self.root / "env"

    @property
    def settings(self) -> Path:
        """The settings that every start reads, written by a person, mode 0600."""
        return self.root / "settings.env"

    @property
    def state(self) -> Path:
        """The state of the stack, written by the supervisor."""
        return self.run / "state.json"

    @property
    def options(self) -> Path:
        """The options of the last start."""
        return self.run / "options.json"

    @property
    def commands(self) -> Path:
        """Requests to the supervisor, one file each."""
        return self.run / "commands"

    @property
    def lock(self) -> Path:
        """Locked while the stack starts or stops."""
        return self.run / "lock"

    def log(self, process: str) -> Path:
        """Return the log file of a process."""
        return self.logs / f"{process}.log"

    def create(self) -> None:
        """Create the folders.

        Other accounts can enter `root` and `data`, because PostgreSQL, which refuses to run as root, has to. The other
        folders are private.
        """
        for folder, mode in (
            (self.root, 0o711),
            (self.data, 0o711),
            (self.logs, 0o700),
            (self.run, 0o700),
            (self.commands, 0o700),
            (self.airflow_home, 0o700),
            (self.redis, 0o700),
            (self.bundles, 0o700),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)
