"""Callbacks of generated DAGs, which have none: the dag-processor does not look for them (Airflow 3.3.2).

When an agent dies, the scheduler asks the dag-processor to run its task's callbacks as of the run's version of the
bundle. From then on that one parses the file again as fast as it can, until it is restarted
(https://github.com/apache/airflow/issues/73432; measured: 16 % of a core for each).
"""

import functools
import sys
from typing import Any


def skip_callbacks(bundle_name: str) -> None:
    """Have the dag-processor, if this process is one, drop the requests for callbacks of a bundle."""
    manager: Any = sys.modules.get("airflow.dag_processing.manager")
    if manager is None:
        return
    prepare = manager.DagFileProcessorManager.prepare_callback_bundle
    if getattr(prepare, "skipped", None) == bundle_name:
        return

    @functools.wraps(prepare)
    def prepare_unless_generated(self: Any, request: Any) -> Any:
        # None: as for a bundle that is no longer there.
        return None if request.bundle_name == bundle_name else prepare(self, request)

    vars(prepare_unless_generated)["skipped"] = bundle_name
    manager.DagFileProcessorManager.prepare_callback_bundle = prepare_unless_generated
