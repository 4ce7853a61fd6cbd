"""Registers many job types in bulk: `python -m benchmarks.filling FIRST COUNT`, with the environment of the web server.

The rows are those that `POST /jobs/v1/job-types` writes, through the same functions, but Airflow's tables are written
for a whole batch at once, as the DAG processor does for a file: one by one, 10,000 types take about ten minutes. Each
line of the output is a JSON object with the number of types done and the seconds that it took.
"""

import json
import sys
import time
from typing import Any

BATCH = 100


def fill(first: int, count: int) -> None:
    """Register the types number `first` to `first + count - 1`."""
    from airflow.utils.session import create_session

    from benchmarks.kinds import definition, name_of
    from coinrequest.generator import lifecycle

    with create_session() as session:
        lifecycle.preview(session, definition(name_of(first)))  # what is imported late is imported now
    began = time.monotonic()
    for start in range(first, first + count, BATCH):
        end = min(start + BATCH, first + count)
        with create_session() as session:
            register(session, [definition(name_of(index)) for index in range(start, end)])
        print(json.dumps({"done": end - first, "seconds": round(time.monotonic() - began, 3)}), flush=True)


def register(session: Any, documents: list[dict[str, object]]) -> None:
    """Register new types, when the caller commits."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.definitions.dag import SerializedDAG

    from coinrequest.generator import publishing
    from coinrequest.generator.shards import BUNDLE_NAME
    from coinrequest.jobtypes import registry
    from coinrequest.jobtypes.definition import parse_definition
    from coinrequest.jobtypes.installation import Version, current_id

    registry.lock(session)
    installation = current_id(session)
    serialised = []
    for document in documents:
        checked = parse_definition(document)
        revision = registry.append(session, checked.name, "create", document, author="benchmark")
        serialised.append(
            publishing._serialised(
                checked,
                revision.number,
                announces=False,
                created_at=revision.created_at,
                installation=installation,
            )
        )
        publishing._request_parse(session, checked.name)
    version = str(Version(installation, revision.number))
    publishing._ensure_bundle(session)
    SerializedDAG.bulk_write_to_db(BUNDLE_NAME, version, serialised, None, session=session)
    known = SerializedDagModel._prefetch_dag_write_metadata([dag.dag_id for dag in serialised], session=session)
    for dag in serialised:
        SerializedDagModel.write_dag(dag, BUNDLE_NAME, version, session=session, _prefetched=known[dag.dag_id])


if __name__ == "__main__":
    fill(int(sys.argv[1]), int(sys.argv[2]))
