"""What the installation does right now, as CloudWatch reads it out of a log: a JSON object in a line of its own.

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
    """Write the figures of this moment to standard output; return that there is no more to do.

    Args:
        namespace: CloudWatch's, which the figures appear in.
        sessions: gives a session of the metadata database.
    """
    with sessions() as session:
        figures = take(session)
    # One call: what other threads write cannot come in between.
    sys.stdout.write(f"{json.dumps(document(namespace, figures, int(time.time() * 1000)))}\n")
    sys.stdout.flush()
    return False


def take(session: Session) -> Mapping[str, float]:
    """Return the figures by name; that of a process which does not run is left out."""
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


def document(namespace: str, figures: Mapping[str, float], milliseconds: int) -> Mapping[str, Any]:
    """Return the line's object.

    Args:
        namespace: CloudWatch's, which the figures appear in.
        figures: by name; one that ends in `Seconds` is a duration, any other a number of things.
        milliseconds: when they were taken, since 1970.
    """
    metrics = [{"Name": name, "Unit": "Seconds" if name.endswith("Seconds") else "Count"} for name in figures]
    # Without dimensions: every gateway says the same of the same installation.
    directive = {"Namespace": namespace, "Dimensions": [[]], "Metrics": metrics}
    return {"_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]}, **figures}
