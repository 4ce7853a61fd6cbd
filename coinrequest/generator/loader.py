"""What a shard's stub calls: it makes the DAGs that Airflow asked the file for.

In the dag-processor's working directory the definitions lie beside the stub, put there by the bundle's refresh.
An agent has stubs only, in a directory named by the bundle's version; it reads the one definition that it needs
"as of" that version, and keeps it there, for a revision of an installation never changes. A version without an
installation's id is from before there were ids: another installation may have left something under it, so nothing is
kept there.
"""

import json
import logging
from pathlib import Path

from coinrequest.generator.shards import Entry, read_entries, shard_path, write_atomically
from coinrequest.jobtypes.installation import Version
from coinrequest.jobtypes.registry import Revision

log = logging.getLogger(__name__)


class JobTypeBroken(Exception):
    """The registry holds a definition that cannot be read; replacing or deleting the type is the way out."""


def load(stub: str) -> None:
    """Make the DAGs of the shard file `stub`; each registers itself with the parser that runs the file.

    A definition that cannot be built is left out and logged; its neighbours are made all the same.
    """
    path = Path(stub)
    for name, entry in _entries(path).items():
        try:
            build_entry(name, entry)
        except Exception:
            log.exception("Job type %r, revision %s, cannot be built", name, entry["number"])


def build_entry(name: str, entry: Entry) -> None:
    """Make the DAG of one stored definition."""
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
    """Return what a shard stores of `revision`."""
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
