"""Figures as Prometheus metrics."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from coinrequest.metrics.counters import Histogram
from coinrequest.metrics.snapshot import Measures

_BY_STATE = ("type", "state")


def expose(measures: Measures, retained: Mapping[tuple[str, str], int], accept: str) -> tuple[bytes, str]:
    """Return the metrics and their media type: OpenMetrics for those who accept it, Prometheus text for others."""
    encode, media_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(measures, retained))
    return encode(registry), media_type


class _Figures(Collector):
    def __init__(self, measures: Measures, retained: Mapping[tuple[str, str], int]) -> None:
        self._measures = measures
        self._retained = retained

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        measures = self._measures
        ended = {key: jobs for key, jobs in self._retained.items() if key[1] not in ("queued", "running")}
        jobs = GaugeMetricFamily("coinrequest_jobs", "Jobs that are kept, by type and state", labels=_BY_STATE)
        for key, count in {**ended, **measures.active}.items():
            jobs.add_metric(key, count)
        yield jobs
        completed = CounterMetricFamily(
            "coinrequest_jobs_completed", "Jobs that ended, by type and state", labels=_BY_STATE
        )
        for key, total in measures.tallies.completed.items():
            completed.add_metric(key, total)
        yield completed
        yield _histogram(
            "coinrequest_job_queue_seconds", "From when a job could start until an agent did", measures.tallies.queue
        )
        yield _histogram(
            "coinrequest_job_duration_seconds", "From an agent's start to the end of a job", measures.tallies.duration
        )
        yield _gauge(
            "coinrequest_oldest_queued_job_seconds",
            "How long the job has waited that the scheduler has not started; 0: none",
            measures.oldest_queued,
        )
        yield _gauge("coinrequest_tasks_waiting", "Tasks of all DAGs that wait for an agent", measures.waiting.tasks)
        yield _gauge(
            "coinrequest_tasks_active",
            "Tasks of all DAGs that wait for an agent or run on one",
            measures.waiting.active,
        )
        yield _gauge(
            "coinrequest_oldest_waiting_task_seconds",
            "How long the task has waited for an agent that waits longest; 0: none waits",
            measures.waiting.oldest,
        )
        notices = GaugeMetricFamily("coinrequest_notices", "Notices that are not delivered", labels=("state",))
        notices.add_metric(("pending",), measures.pending_notices)
        notices.add_metric(("failed",), measures.failed_notices)
        yield notices
        yield _gauge(
            "coinrequest_notice_oldest_pending_seconds",
            "Age of the oldest pending notice; 0: none is pending",
            measures.oldest_pending_notice,
        )
        yield _gauge(
            "coinrequest_completions_waiting",
            "Jobs that ended and whose notices no gateway has made yet",
            measures.completions,
        )
        gateways = GaugeMetricFamily(
            "coinrequest_gateway_connected", "1: the gateway lives and reaches its channel", labels=("gateway",)
        )
        for name, connected in measures.gateways.items():
            gateways.add_metric((name,), int(connected))
        yield gateways
        yield _gauge(
            "coinrequest_channel_messages_waiting",
            "Messages of the channel that gateways hold and the database did not take yet",
            measures.messages_waiting,
        )
        yield _gauge(
            "coinrequest_channel_oldest_waiting_message_seconds",
            "How long the message has waited for the database that waits longest; 0: none waits",
            measures.oldest_message,
        )
        messages = CounterMetricFamily(
            "coinrequest_channel_messages", "Messages of the channel by what became of them", labels=("outcome",)
        )
        for outcome, total in measures.tallies.messages.items():
            messages.add_metric((outcome,), total)
        yield messages


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _histogram(name: str, documentation: str, found: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, documentation, labels=("type",))
    for job_type, histogram in found.items():
        family.add_metric((job_type,), buckets=histogram.buckets, sum_value=histogram.total)
    return family
