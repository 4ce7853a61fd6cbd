"""The files of the job-type bundle: a fixed number of small shards.

A shard is a constant Python stub that Airflow parses. In the dag-processor's working directory, a JSON file beside the
stub holds the definitions of the types whose names hash to the shard. Many small files keep each parse short: writing
1,000 DAGs from one file blocks the dag-processor's only loop for 4 s (measured).
"""

import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

# 10,000 types make 78 DAGs a shard: about half a second of the dag-processor's loop when one of them changes.
# Changing the number moves DAGs between files; Airflow follows at the next parse.
SHARD_COUNT = 128

STUB = '''"""This DAG is a job type: data, not code. Its documentation in the UI links to its definition."""

from coinrequest.generator.loader import load  # Airflow DAG

load(__file__)
'''

BROKEN_STUB = '''"""The definition of a job type that cannot be read."""

from coinrequest.generator.loader import report_broken  # Airflow DAG

report_broken({name!r}, {reason!r})
'''


class Entry(TypedDict):
    """One definition in a shard's data file, with the properties of its revision."""

    number: int
    document: str
    announces: bool
    created_at: str


def shard_path(name: str) -> str:
    """Return the path of the file that builds the DAG of job type `name`, relative to the bundle."""
    return f"shards/{zlib.crc32(name.encode()) % SHARD_COUNT:02x}.py"


def working_folder(installation: int) -> str:
    """Return the name of the dag-processor's directory; installations that share a disk need one each."""
    return f"working-{installation}"


def ensure_stubs(root: Path) -> None:
    """Write the stubs of all shards below `root`, if they are missing or of another release."""
    marker = root / "stubs.txt"
    release = f"{SHARD_COUNT} {zlib.crc32(STUB.encode()):08x}"
    if marker.exists() and marker.read_text() == release:
        return
    folder = root / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(SHARD_COUNT):
        path = folder / f"{index:02x}.py"
        if not path.exists() or path.read_text() != STUB:
            write_atomically(path, STUB)
    write_atomically(marker, release)


def read_entries(stub: Path) -> dict[str, Entry]:
    """Return the definitions of the shard whose stub is `stub`, by name."""
    try:
        entries: dict[str, Entry] = json.loads(stub.with_suffix(".json").read_text())
    except FileNotFoundError:
        return {}
    return entries


def write_entries(stub: Path, entries: Mapping[str, Entry]) -> None:
    """Store the definitions of a shard, and mark its stub as changed so that it is parsed again."""
    write_atomically(stub.with_suffix(".json"), json.dumps(entries))
    os.utime(stub)


def broken_path(root: Path, name: str) -> Path:
    """Return the file that reports the broken definition `name` as an import error of its own."""
    return root / "broken" / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)[:120]}.py"


def broken_names(root: Path) -> list[str]:
    """Return the names of the types that are reported as broken."""
    return [path.stem for path in (root / "broken").glob("*.py")]


def write_broken(root: Path, name: str, reason: str) -> None:
    """Report the definition `name` as broken, in a file that leaves the other types of its shard alone."""
    path = broken_path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    stub = BROKEN_STUB.format(name=name, reason=reason)
    if not path.exists() or path.read_text() != stub:
        write_atomically(path, stub)


def clear_broken(root: Path, names: Iterable[str]) -> None:
    """Remove the reports about `names`."""
    for name in names:
        broken_path(root, name).unlink(missing_ok=True)


def write_atomically(path: Path, content: str) -> None:
    """Replace `path` atomically: a reader sees either the old content or the new content."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content)
    temporary.replace(path)
