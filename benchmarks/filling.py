"""Registers many job types in bulk: `fill`, and the program that it runs, with the environment of the web server.

The rows are those that `POST /jobs/v1/job-types` writes, through the same functions, but Airflow's tables are written
for a whole batch at once, as the DAG processor does for a file: one by one, 10,000 types take about ten minutes.
"""

import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.job_types import definition, name_of
from benchmarks.measure import GaveUp, say
from benchmarks.probe import watched_loop
from benchmarks.stacks import Stacks, wait_until_quiet
from coinrequest.stack.layout import project_root

_BATCH = 100
_REPORT_SECONDS = 15.0


def fill(stacks: Stacks, count: int) -> dict[str, Any] | None:
    """Bring our stack to `count` registered benchmark types; return how that went, or None where nothing was to do.

    Raises:
        GaveUp: the registration failed.
    """
    stack = stacks.ours()
    missing = count - stacks.registered
    if missing <= 0:
        return None
    say(f"registering {missing} types, {count} in all")
    command = [sys.executable, "-m", "benchmarks.filling", str(stacks.registered), str(missing)]
    environment = stack.environment("api-server") | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    log = stacks.folder("logs") / "filling.log"
    with watched_loop(stack) as probe, log.open("w") as errors:
        with subprocess.Popen(
            command, cwd=project_root(), env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child:
            try:
                seconds = _follow(child, missing)
            except BaseException:
                child.terminate()
                raise
        if child.returncode:
            raise GaveUp(f"registering failed; see {log}:\n{log.read_text()[-1500:]}")
        settled = wait_until_quiet(stack)
    stacks.registered = count
    say(f"registered in {seconds:.1f} s ({1000 * seconds / missing:.1f} ms each), quiet after {settled:.1f} s more")
    return {
        "types": missing,
        "seconds": seconds,
        "each": round(seconds / missing, 5),
        "until_quiet": round(settled, 1),
        "loop": probe.report(),
    }


def _follow(child: "subprocess.Popen[str]", missing: int) -> float:
    """Report the progress; return the seconds that all types took."""
    seconds, reported = 0.0, time.monotonic()
    for line in child.stdout or ():
        if not line.startswith('{"done"'):
            continue
        progress = json.loads(line)
        seconds = progress["seconds"]
        if time.monotonic() - reported > _REPORT_SECONDS:
            reported = time.monotonic()
            say(f"  {progress['done']} of {missing} after {seconds:.0f} s")
    return seconds


def register_all(first: int, count: int) -> None:
    """Register the types number `first` to `first + count - 1`; print the progress as lines of JSON."""
    from airflow.utils.session import create_session

    from coinrequest.generator import lifecycle

    with create_session() as session:
        lifecycle.preview(session, definition(name_of(first)))  # what is imported late is imported now
    began = time.monotonic()
    for start in range(first, first + count, _BATCH):
        end = min(start + _BATCH, first + count)
        with create_session() as session:
            register(session, [definition(name_of(index)) for index in range(start, end)])
        print(json.dumps({"done": end - first, "seconds": round(time.monotonic() - began, 3)}), flush=True)


def register(session: Any, documents: list[dict[str, object]]) -> None:
    """Register new types, when the caller commits."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.definitions.dag import SerializedDAG

    from coinrequest.airflow import dag_tables
    from coinrequest.airflow.dag_tables import BUNDLE_NAME
    from coinrequest.generator import publishing
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
    dag_tables.ensure_bundle(session)
    SerializedDAG.bulk_write_to_db(BUNDLE_NAME, version, serialised, None, session=session)
    known = SerializedDagModel._prefetch_dag_write_metadata([dag.dag_id for dag in serialised], session=session)
    for dag in serialised:
        SerializedDagModel.write_dag(dag, BUNDLE_NAME, version, session=session, _prefetched=known[dag.dag_id])


if __name__ == "__main__":
    register_all(int(sys.argv[1]), int(sys.argv[2]))
