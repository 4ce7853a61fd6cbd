"""How long one file holds up the DAG processor's loop: `python -m benchmarks.writing FILES`. Prints the samples.

The parse itself runs in a child; what the loop does itself is to write the file's DAGs, with the function that is
called here (`airflow/dag_processing/manager.py`, `persist_parsing_result`).
"""

import os
import sys
import time
from pathlib import Path

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.dag_processing.processor import _serialize_dags
from airflow.utils.session import create_session
from structlog import get_logger

from benchmarks.measure import print_result
from coinrequest.airflow.dag_tables import BUNDLE_NAME


def measure(files: int) -> list[dict[str, float]]:
    """Write the DAGs of up to `files` shards in turn; return the number of DAGs and the seconds of each."""
    bundle = DagBundlesManager().get_bundle(BUNDLE_NAME)
    bundle.initialize()
    version = bundle.get_current_version()
    samples = []
    for path in sorted((bundle.path / "shards").glob("*.py"))[:files]:
        bag = BundleDagBag(dag_folder=os.fspath(path), bundle_path=bundle.path, bundle_name=BUNDLE_NAME)
        dags, _errors = _serialize_dags(bag, get_logger())
        began = time.monotonic()
        with create_session(scoped=False) as session:
            update_dag_parsing_results_in_db(
                bundle_name=BUNDLE_NAME,
                bundle_version=version.version if version else None,
                dags=dags,
                import_errors={},
                parse_duration=0.1,
                warnings=set(),
                session=session,
                files_parsed={(BUNDLE_NAME, str(Path("shards") / path.name))},
            )
        samples.append({"dags": len(dags), "seconds": time.monotonic() - began})
    return samples


if __name__ == "__main__":
    print_result(measure(int(sys.argv[1])))
