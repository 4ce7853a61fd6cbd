"""The versioned DAG bundle over the registry (`[dag_processor] dag_bundle_config_list`, Airflow 3.3.2).

Its version consists of the installation's id and the number of the newest revision. The dag-processor has a working
directory for its installation. A refresh rewrites only the shards whose types have changed, and keeps the files as they
are while the registry cannot be read. If the id has changed, because a backup was restored, all files are written anew.
An agent gets a directory for each version that links to the stubs, which costs it a few system calls.
"""

import logging
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion

from coinrequest.airflow.callbacks import skip_callbacks
from coinrequest.database import registry_connection
from coinrequest.generator.loader import entry_of
from coinrequest.generator.shards import (
    broken_names,
    clear_broken,
    ensure_stubs,
    read_entries,
    shard_path,
    working_folder,
    write_atomically,
    write_broken,
    write_entries,
)
from coinrequest.jobtypes import installation, registry
from coinrequest.jobtypes.installation import Version
from coinrequest.jobtypes.registry import Revision

log = logging.getLogger(__name__)


class JobTypeBundle(BaseDagBundle):
    """Job types as DAG files; takes the keyword arguments of `BaseDagBundle`."""

    supports_versioning = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._stubs = self.base_dir / "stubs"
        self._written = Version(0, 0)

    @property
    def path(self) -> Path:
        """The directory that holds this version's files, or the dag-processor's working directory."""
        return self._working if self.version is None else self.versions_dir / self.version

    @cached_property
    def _working(self) -> Path:
        """The dag-processor's directory. The path stays when the id changes, because a parse may be running in it.

        Only the dag-processor has this directory. It has access to Airflow's database, and does nothing without it.
        """
        from airflow.utils.session import create_session

        with create_session() as session:
            return self.base_dir / working_folder(installation.current_id(session))

    def initialize(self) -> None:
        """Prepare the files: links to the stubs for one version, otherwise the working directory.

        Several processes may call this at the same time. If the registry cannot be read, the dag-processor keeps the
        files of its last run.
        """
        if self.version is None:
            _preload_modules()
            skip_callbacks(self.name)
            with self.lock():
                ensure_stubs(self._working)
                self._written = self._stored_version()
                try:
                    self._synchronise()
                except Exception:
                    log.exception("Cannot read the registry; the job types stay at revision %s", self._written.number)
        elif not (self.path / "shards").exists():
            self._link_version()
        super().initialize()

    def get_current_version(self) -> BundleVersion | None:
        """Return the version of the files: the installation and its newest revision."""
        return BundleVersion(version=self.version or str(self._written))

    def refresh(self) -> None:
        """Update the working directory from the registry; after an error it is as before."""
        if self.version is not None:
            raise ValueError(f"version {self.version} of the job types cannot change")
        with self.lock():
            self._synchronise()

    def _link_version(self) -> None:
        with self.lock():
            ensure_stubs(self._stubs)
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            (self.path / "shards").symlink_to(self._stubs / "shards", target_is_directory=True)
        except FileExistsError:
            log.debug("Another process linked version %s first", self.version)

    @property
    def _version_file(self) -> Path:
        return self._working / "version.txt"

    def _stored_version(self) -> Version:
        try:
            return Version.parse(self._version_file.read_text())
        except (FileNotFoundError, ValueError):
            return Version(0, 0)

    def _synchronise(self) -> None:
        from coinrequest.airflow.dag_tables import mark_broken_stale, mark_deleted_stale

        with registry_connection.connect() as connection:
            newest = Version(installation.current_id(connection), registry.last_number(connection))
            if newest.installation != self._written.installation or newest.number < self._written.number:
                self._clear_files()
            if newest != self._written:
                self._write(registry.changed_between(connection, self._written.number, newest.number))
        mark_deleted_stale()
        if broken := broken_names(self._working):
            mark_broken_stale(broken, as_of=newest.number)
        if newest != self._written:
            self._written = newest
            write_atomically(self._version_file, str(newest))

    def _clear_files(self) -> None:
        """Remove the files, which hold revisions of another registry."""
        if self._written.number:
            log.warning("The registry was replaced, as by a restore; writing all files of the bundle anew")
        for file in (*self._working.glob("shards/*.json"), *self._working.glob("broken/*.py")):
            file.unlink()
        self._version_file.unlink(missing_ok=True)
        self._written = Version(0, 0)

    def _write(self, changes: Iterable[Revision]) -> None:
        by_shard: dict[str, list[Revision]] = {}
        for revision in changes:
            by_shard.setdefault(shard_path(revision.name), []).append(revision)
        for shard, revisions in by_shard.items():
            stub = self._working / shard
            entries = read_entries(stub)
            for revision in revisions:
                entries.pop(revision.name, None)
                clear_broken(self._working, [revision.name])
                if revision.deleted:
                    continue
                if reason := _problem(revision):
                    log.error("Job type %r, revision %s: %s", revision.name, revision.number, reason)
                    write_broken(self._working, revision.name, reason)
                    continue
                entries[revision.name] = entry_of(revision)
            write_entries(stub, entries)


def _preload_modules() -> None:
    """Import in the dag-processor what each forked parse would import by itself, which takes 0.1 s of CPU."""
    import airflow.sdk.execution_time.task_runner

    from coinrequest.generator import dag
    from coinrequest.jobtypes import definition

    log.debug("Loaded %s, %s and %s", airflow.sdk.execution_time.task_runner, dag, definition)


def _problem(revision: Revision) -> str | None:
    """Return why a stored definition cannot be read; None if it can."""
    from coinrequest.jobtypes.definition import load_definition

    try:
        definition = load_definition(revision.content())
        if definition.name != revision.name:
            return f"it is stored as {revision.name!r}, but its name is {definition.name!r}"
    except Exception as error:  # a damaged row must not stop the other types
        return str(error)
    return None
