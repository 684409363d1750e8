"""What the operator shows to Prometheus at /metrics: what has happened, what is the case, and the process itself.

Rule: no label has the name of a job, a pod or a namespace, or text that somebody else wrote. So the number of series is
fixed.
"""

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, generate_latest

from podreduce_operator.cluster.kubernetes.telemetry import ClusterTelemetry
from podreduce_operator.loop.telemetry import Telemetry
from podreduce_operator.process.event_metrics import EventMetrics
from podreduce_operator.process.state_metrics import StateMetrics, StateSource

__all__ = ["Metrics"]


class Metrics:
    """The operator's metrics.

    Attributes:
        registry: all of them, for documentation.
        loop: what the loop reports to.
        cluster: what the cluster reports to.
    """

    def __init__(self, source: StateSource) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # one more series for each, with the time of the start
        self.registry = CollectorRegistry()
        events = EventMetrics(self.registry)
        self.registry.register(StateMetrics(source))
        ProcessCollector(registry=self.registry)
        self.loop = Telemetry(
            on_pass=events.take_pass,
            on_phase_end=events.take_phase,
            on_attempt_end=events.take_attempt,
            on_stop=events.take_stop,
            on_shuffle=events.take_shuffle,
        )
        self.cluster = ClusterTelemetry(
            on_creation=events.take_creation, on_refusal=events.take_refusal, on_request=events.take_request
        )

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
