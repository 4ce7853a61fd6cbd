"""Keeps the dag-processor from looking for callbacks of generated DAGs, which have none (Airflow 3.3.2).

When an agent dies, the scheduler asks the dag-processor to run the callbacks of its task, with the run's version of the
bundle. From then on, the dag-processor parses that file in a loop until it is restarted
(https://github.com/apache/airflow/issues/73432; measured: 16 % of a core for each).
"""

import functools
import sys
from typing import Any


def skip_callbacks(bundle_name: str) -> None:
    """Make the dag-processor drop requests for callbacks of a bundle; does nothing in other processes."""
    manager: Any = sys.modules.get("airflow.dag_processing.manager")
    if manager is None:
        return
    prepare = manager.DagFileProcessorManager.prepare_callback_bundle
    if getattr(prepare, "skipped", None) == bundle_name:
        return

    @functools.wraps(prepare)
    def prepare_unless_generated(self: Any, request: Any) -> Any:
        # None, as for a bundle that no longer exists.
        return None if request.bundle_name == bundle_name else prepare(self, request)

    vars(prepare_unless_generated)["skipped"] = bundle_name
    manager.DagFileProcessorManager.prepare_callback_bundle = prepare_unless_generated
