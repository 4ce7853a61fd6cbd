"""What an agent does before it runs a task: prepare the bundle, build the DAG. Prints the samples.

`python -m benchmarks.building bundle DAG VERSION FILE SAMPLES` for a job type,
`python -m benchmarks.building file DAG PATH SAMPLES` for a DAG of an ordinary file.
Each sample is a child, forked from a process that has imported what an agent imports before it forks, as Airflow's
task runner is (`airflow/sdk/execution_time/task_runner.py`, `parse`).
"""

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import cause, print_result

Sample = dict[str, Any]


def build_job_type(dag_id: str, version: str, relative: str) -> Sample:
    """Prepare a version of the job-type bundle and build one DAG of it."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager

    with _airflow_parsing_context_manager(dag_id=dag_id, task_id="wait"):
        began = time.monotonic()
        bundle = DagBundlesManager().get_bundle(name="job_types", version=version)
        bundle.initialize()
        prepared = time.monotonic()
        found = _bag(bundle.path / relative, bundle.path, "job_types", dag_id)
        return {"prepare": prepared - began, "build": time.monotonic() - prepared, **found}


def build_from_file(dag_id: str, path: str) -> Sample:
    """Build the DAGs of one ordinary file and pick one."""
    from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager

    with _airflow_parsing_context_manager(dag_id=dag_id, task_id="wait"):
        began = time.monotonic()
        found = _bag(Path(path), Path(path).parent, "plain", dag_id)
        return {"prepare": 0.0, "build": time.monotonic() - began, **found}


def in_child(work: Callable[[], Sample]) -> Sample:
    """Do `work` in a forked child and return what it returns."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = work()
        except BaseException:
            answer = {"error": traceback.format_exc()[-1000:]}
        with os.fdopen(writing, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return dict(json.loads(text or '{"error": "the child died"}'))


def main(kind: str, dag_id: str, *place_and_samples: str) -> None:
    """Measure, and print the samples."""
    import coinrequest.generator.warm_up  # noqa: F401

    *place, samples = place_and_samples
    found = []
    for _ in range(int(samples)):
        if kind == "bundle":
            _forget(place[0])
            found.append(in_child(lambda: build_job_type(dag_id, *place)))
        else:
            found.append(in_child(lambda: build_from_file(dag_id, *place)))
    print_result(found)


def _forget(version: str) -> None:
    """Remove the version's directory, so that each sample is the first task of a version on this agent."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    bundle = DagBundlesManager().get_bundle(name="job_types", version=version)
    shutil.rmtree(bundle.path, ignore_errors=True)


def _bag(path: Path, folder: Path, bundle: str, dag_id: str) -> Sample:
    from airflow.dag_processing.dagbag import BundleDagBag

    bag = BundleDagBag(
        dag_folder=str(path), safe_mode=False, load_op_links=False, bundle_path=folder, bundle_name=bundle
    )
    errors = [cause(error) for error in bag.import_errors.values()]
    return {"dags": len(bag.dags), "found": dag_id in bag.dags, "import_errors": errors[:3]}


if __name__ == "__main__":
    main(*sys.argv[1:])
