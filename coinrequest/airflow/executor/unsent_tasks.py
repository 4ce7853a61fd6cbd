"""What becomes of tasks that could not be sent to an agent (Airflow 3.3.2, Celery 5.6, kombu 5.7).

A broker that is away, or refuses to write, says nothing about the task; what cannot be written as a message does.
"""

from typing import Any

from coinrequest.airflow.task_reports import FAILURE


def is_the_brokers(error: BaseException, application: Any) -> bool:
    """Say whether a task could not be sent because of the broker, so that it can be sent later.

    Args:
        error: what sending it ended with.
        application: the Celery application with that broker.
    """
    from airflow.providers.common.compat.sdk import AirflowTaskTimeout
    from amqp.exceptions import MessageNacked
    from kombu.exceptions import OperationalError

    transport = application.connection_for_write().transport
    # kombu counts a key that is missing among the errors of a connection: it may be one of the task's as well.
    kinds = [kind for kind in (*transport.connection_errors, *transport.channel_errors) if kind is not KeyError]
    return isinstance(error, (AirflowTaskTimeout, OperationalError, MessageNacked, OSError, *kinds))


def leave_reason(task: Any, reason: str) -> None:
    """Leave why a task failed that no agent has seen, where its own process would have: the job's answer shows it.

    Args:
        task: of a workload.
        reason: a sentence's end, after "failed:".
    """
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        XComModel.set(
            key=FAILURE,
            value={"attempt": task.try_number, "text": reason},
            dag_id=task.dag_id,
            run_id=task.run_id,
            task_id=task.task_id,
            map_index=task.map_index,
            session=session,
        )
