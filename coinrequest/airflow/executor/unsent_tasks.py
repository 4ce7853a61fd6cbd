"""What becomes of tasks that could not be sent to an agent (Airflow 3.3.2, Celery 5.6, kombu 5.7).

A broker that is away, or refuses to write, says nothing about the task; what cannot be written as a message does.
"""

from typing import Any

from coinrequest.airflow.session import airflow_session
from coinrequest.airflow.task_reports import FAILURE


def is_the_brokers(error: BaseException, application: Any) -> bool:
    """Return whether the broker is the reason that a task could not be sent, so that it can be sent later.

    Args:
        error: the error of sending it.
        application: the Celery application with that broker.
    """
    from airflow.providers.common.compat.sdk import AirflowTaskTimeout
    from amqp.exceptions import MessageNacked
    from kombu.exceptions import OperationalError

    transport = application.connection_for_write().transport
    # kombu counts KeyError among its connection errors, but the task itself may cause one.
    kinds = [kind for kind in (*transport.connection_errors, *transport.channel_errors) if kind is not KeyError]
    return isinstance(error, (AirflowTaskTimeout, OperationalError, MessageNacked, OSError, *kinds))


def record_reason(task: Any, reason: str) -> None:
    """Store the reason why a task failed that reached no agent, where its own process would have stored it.

    Args:
        task: the task of a workload.
        reason: the end of a sentence, after "failed:".
    """
    from airflow.models.xcom import XComModel

    with airflow_session() as session:
        XComModel.set(
            key=FAILURE,
            value={"attempt": task.try_number, "text": reason},
            dag_id=task.dag_id,
            run_id=task.run_id,
            task_id=task.task_id,
            map_index=task.map_index,
            session=session,
        )
