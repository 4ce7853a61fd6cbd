"""Builds the DAGs of a shard: the shard's stub calls `load` when Airflow parses it.

In the dag-processor's working directory, the bundle's refresh stores the definitions beside the stub. An agent has only
stubs, in a directory named after the version of the bundle. It reads the one definition that it needs as of that
version, and keeps it there, because a revision never changes within an installation. A version without the id of an
installation comes from an older release, and another installation may have used the same directory. So nothing is kept
there.
"""

import json
import logging
from pathlib import Path

from coinrequest.errors import CoinrequestError
from coinrequest.generator.shards import Entry, read_entries, shard_path, write_atomically
from coinrequest.jobtypes.installation import Version
from coinrequest.jobtypes.registry import Revision
from coinrequest.worker import unbuilt_types

log = logging.getLogger(__name__)


class JobTypeBroken(CoinrequestError):
    """The registry holds a definition that cannot be read; the job type has to be replaced or deleted."""


def load(stub: str) -> None:
    """Build the DAGs of the shard file `stub`; each registers itself with the parser that runs the file.

    A definition that cannot be built is logged and left out.
    """
    unbuilt_types.forget()
    try:
        entries = _entries(Path(stub))
    except Exception as error:
        unbuilt_types.remember(None, f"{type(error).__name__}: {error}")
        raise
    for name, entry in entries.items():
        try:
            build_entry(name, entry)
        except Exception as error:
            log.exception("Cannot build job type %r, revision %s", name, entry["number"])
            unbuilt_types.remember(name, f"revision {entry['number']}: {type(error).__name__}: {error}")


def build_entry(name: str, entry: Entry) -> None:
    """Build the DAG of a stored definition."""
    from coinrequest.generator.dag import build_dag
    from coinrequest.jobtypes.definition import load_definition

    build_dag(
        load_definition(json.loads(entry["document"])),
        number=entry["number"],
        announces=entry["announces"],
        created_at=entry["created_at"],
    )


def report_broken(name: str, reason: str) -> None:
    """Raise the error that Airflow shows for the broken definition `name`."""
    raise JobTypeBroken(
        f"Job type {name!r} cannot be read: {reason}. Replace it with PUT /jobs/v1/job-types/{name}, "
        f"or delete it with DELETE /jobs/v1/job-types/{name}."
    )


def entry_of(revision: Revision) -> Entry:
    """Return the entry of `revision` in its shard."""
    return Entry(
        number=revision.number,
        document=revision.document or "",
        announces=revision.announces,
        created_at=revision.created_at.isoformat(),
    )


def _entries(stub: Path) -> dict[str, Entry]:
    version_root = stub.parent.parent
    if version_root.parent.name != "versions":
        return read_entries(stub)
    from airflow.sdk import get_parsing_context

    version = Version.parse(version_root.name)
    wanted = get_parsing_context().dag_id
    if wanted is not None:
        entry = _entry_as_of(version_root, wanted, version)
        return {} if entry is None else {wanted: entry}
    return _shard_as_of(f"shards/{stub.name}", version)


def _entry_as_of(version_root: Path, name: str, version: Version) -> Entry | None:
    from coinrequest.database import registry_connection
    from coinrequest.jobtypes import registry

    kept = version_root / "definitions" / f"{name}.json"
    if version.installation and kept.exists():
        entry: Entry = json.loads(kept.read_text())
        return entry
    with registry_connection.connect() as connection:
        revision = registry.latest(connection, name, as_of=version.number)
    if revision is None or revision.deleted:
        return None
    entry = entry_of(revision)
    if version.installation:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps(entry))
    return entry


def _shard_as_of(shard: str, version: Version) -> dict[str, Entry]:
    from coinrequest.database import registry_connection
    from coinrequest.jobtypes import registry

    with registry_connection.connect() as connection:
        return {
            revision.name: entry_of(revision)
            for revision in registry.changed_between(connection, 0, version.number)
            if not revision.deleted and shard_path(revision.name) == shard
        }
