"""Metrics in the text formats of Prometheus and OpenMetrics."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from coinrequest.metrics.counters import Histogram
from coinrequest.metrics.snapshot import Metrics


def render(metrics: Metrics, retained: Mapping[tuple[str, str], int], accept: str) -> tuple[bytes, str]:
    """Return the metrics and their media type: OpenMetrics for clients that accept it, else Prometheus text."""
    encode, media_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics, retained))
    return encode(registry), media_type


class _Collector(Collector):
    def __init__(self, metrics: Metrics, retained: Mapping[tuple[str, str], int]) -> None:
        self._metrics = metrics
        self._retained = retained

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from _jobs(self._metrics, self._retained)
        yield from _tasks(self._metrics)
        yield from _notices(self._metrics)
        yield from _channel(self._metrics)


def _jobs(metrics: Metrics, retained: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    ended = {key: count for key, count in retained.items() if key[1] not in ("queued", "running")}
    yield _by_state(
        GaugeMetricFamily, "coinrequest_jobs", "Jobs that are kept, by type and state", {**ended, **metrics.active}
    )
    yield _by_state(
        CounterMetricFamily,
        "coinrequest_jobs_completed",
        "Jobs that have ended, by type and state",
        metrics.counters.completed,
    )
    yield _histogram(
        "coinrequest_job_queue_seconds", "From when a job was due until an agent started it", metrics.counters.queue
    )
    yield _histogram(
        "coinrequest_job_duration_seconds", "From an agent's start to the end of a job", metrics.counters.duration
    )
    yield _gauge(
        "coinrequest_oldest_queued_job_seconds",
        "How long the oldest due job has waited for the scheduler; 0 if none waits",
        metrics.oldest_queued,
    )


def _tasks(metrics: Metrics) -> Iterator[Metric]:
    waiting = metrics.waiting
    yield _gauge("coinrequest_tasks_waiting", "Tasks of all DAGs that wait for an agent", waiting.tasks)
    yield _gauge("coinrequest_tasks_active", "Tasks of all DAGs that wait for an agent or run on one", waiting.active)
    yield _gauge(
        "coinrequest_oldest_waiting_task_seconds",
        "How long the oldest waiting task has waited for an agent; 0 if none waits",
        waiting.oldest,
    )


def _notices(metrics: Metrics) -> Iterator[Metric]:
    notices = GaugeMetricFamily("coinrequest_notices", "Notices that are not delivered", labels=("state",))
    notices.add_metric(("pending",), metrics.pending_notices)
    notices.add_metric(("failed",), metrics.failed_notices)
    yield notices
    yield _gauge(
        "coinrequest_notice_oldest_pending_seconds",
        "Age of the oldest pending notice; 0 if none is pending",
        metrics.oldest_pending_notice,
    )
    yield _gauge(
        "coinrequest_completions_waiting",
        "Jobs that have ended and whose notices are not created yet",
        metrics.completions,
    )


def _channel(metrics: Metrics) -> Iterator[Metric]:
    gateways = GaugeMetricFamily(
        "coinrequest_gateway_connected", "1 if the gateway is alive and connected to its channel", labels=("gateway",)
    )
    for name, connected in metrics.gateways.items():
        gateways.add_metric((name,), int(connected))
    yield gateways
    yield _gauge(
        "coinrequest_channel_messages_waiting",
        "Channel messages that gateways hold until the database takes them",
        metrics.messages_waiting,
    )
    yield _gauge(
        "coinrequest_channel_oldest_waiting_message_seconds",
        "How long the oldest of these messages has waited; 0 if none waits",
        metrics.oldest_message,
    )
    messages = CounterMetricFamily("coinrequest_channel_messages", "Channel messages by outcome", labels=("outcome",))
    for outcome, total in metrics.counters.messages.items():
        messages.add_metric((outcome,), total)
    yield messages


def _by_state(
    family: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    documentation: str,
    counts: Mapping[tuple[str, str], float],
) -> Metric:
    metric = family(name, documentation, labels=("type", "state"))
    for key, count in counts.items():
        metric.add_metric(key, count)
    return metric


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _histogram(name: str, documentation: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, documentation, labels=("type",))
    for job_type, histogram in histograms.items():
        family.add_metric((job_type,), buckets=histogram.buckets, sum_value=histogram.total)
    return family
