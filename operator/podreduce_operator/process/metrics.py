"""What the operator shows to Prometheus at /metrics: what has happened, what is the case, and the process itself.

Rule: no label has the name of a job, a pod or a namespace, or text that somebody else wrote. So the number of series is
fixed.
"""

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, generate_latest

from podreduce_operator.cluster.kubernetes.telemetry import ClusterTelemetry
from podreduce_operator.loop.telemetry import PipelineTelemetry, ScheduleTelemetry, Telemetry
from podreduce_operator.process.cluster_metrics import ClusterMetrics
from podreduce_operator.process.loop_metrics import LoopMetrics
from podreduce_operator.process.pipeline_metrics import PipelineMetrics
from podreduce_operator.process.schedule_metrics import ScheduleMetrics
from podreduce_operator.process.state_metrics import StateMetrics, StateSource

__all__ = ["Metrics"]


class Metrics:
    """The operator's metrics.

    Attributes:
        registry: all of them, for documentation.
        loop: what the loop reports to.
        schedules: what the loop of schedules reports to.
        pipelines: what the loop of pipelines reports to.
        cluster: what the cluster reports to.
    """

    def __init__(self, source: StateSource) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # one more series for each, with the time of the start
        self.registry = CollectorRegistry()
        loop, cluster = LoopMetrics(self.registry), ClusterMetrics(self.registry)
        schedules = ScheduleMetrics(self.registry)
        self.registry.register(StateMetrics(source))
        ProcessCollector(registry=self.registry)
        self.loop = Telemetry(
            on_pass=loop.take_pass,
            on_phase_end=loop.take_phase,
            on_attempt_end=loop.take_attempt,
            on_stop=loop.take_stop,
            on_shuffle=loop.take_shuffle,
        )
        self.schedules = ScheduleTelemetry(on_start=schedules.take_start, on_missed=schedules.take_missed)
        self.pipelines = PipelineTelemetry(on_step=PipelineMetrics(self.registry).take_step)
        self.cluster = ClusterTelemetry(
            on_creation=cluster.take_creation, on_refusal=cluster.take_refusal, on_request=cluster.take_request
        )

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
