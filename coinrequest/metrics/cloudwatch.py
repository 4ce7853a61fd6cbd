"""Metrics in CloudWatch's embedded metric format: one JSON object per log line.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from coinrequest.airflow import heartbeats
from coinrequest.airflow.session import Sessions, airflow_session
from coinrequest.metrics import snapshot

SECONDS = 60.0

_HEARTBEATS = {
    "scheduler": "SchedulerHeartbeatSeconds",
    "dag_processor": "DagProcessorHeartbeatSeconds",
    "triggerer": "TriggererHeartbeatSeconds",
}


def write(namespace: str, sessions: Sessions = airflow_session) -> bool:
    """Write the current metrics to standard output; return False, because nothing remains to be done.

    Args:
        namespace: the CloudWatch namespace of the metrics.
        sessions: opens a session of the metadata database.
    """
    with sessions() as session:
        metrics = read(session)
    # A single call, so that output of other threads cannot split the line.
    sys.stdout.write(f"{json.dumps(document(namespace, metrics, int(time.time() * 1000)))}\n")
    sys.stdout.flush()
    return False


def read(session: Session) -> Mapping[str, float]:
    """Return the metrics by name; the heartbeat of a process that is not running is left out."""
    backlog = snapshot.backlog(session)
    return {
        "TasksWaiting": backlog.waiting.tasks,
        "TasksActive": backlog.waiting.active,
        "OldestWaitingTaskSeconds": backlog.waiting.oldest,
        "OldestQueuedJobSeconds": backlog.oldest_queued,
        "NoticesPending": backlog.pending_notices,
        "OldestPendingNoticeSeconds": backlog.oldest_pending_notice,
        "CompletionsWaiting": backlog.completions,
        **{_HEARTBEATS[process]: age for process, age in heartbeats.ages(session).items()},
    }


def document(namespace: str, metrics: Mapping[str, float], milliseconds: int) -> Mapping[str, Any]:
    """Return the object that is logged.

    Args:
        namespace: the CloudWatch namespace of the metrics.
        metrics: values by name; a name that ends in `Seconds` is a duration, any other a count.
        milliseconds: when the metrics were read, as milliseconds since 1970.
    """
    units = [{"Name": name, "Unit": "Seconds" if name.endswith("Seconds") else "Count"} for name in metrics]
    # No dimensions: every gateway reports the same values for the same installation.
    directive = {"Namespace": namespace, "Dimensions": [[]], "Metrics": units}
    return {"_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]}, **metrics}
