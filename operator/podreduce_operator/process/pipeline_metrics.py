"""The metrics of pipelines: what happened is counted by the loop's telemetry, what is the case is read when asked.

Rule: no pipeline and no step has a series of its own, so their number is fixed.
"""

from collections import Counter as Counts
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily

from podreduce_operator.model.pipelines import PipelinePhase, PipelineView

__all__ = ["PipelineMetrics", "collect_pipelines"]

NEW = "New"
"""The phase of a pipeline without a status."""
STEP_SECONDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
ENDS = ("Complete", "Failed", "Reused")


class PipelineMetrics:
    """Counters and a histogram in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._steps = Counter(
            "podreduce_pipeline_steps",
            "Steps that ended so, iterations of loops not counted. Reused: what an earlier run wrote still holds.",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "podreduce_pipeline_step_seconds",
            "How long the jobs of complete steps took.",
            buckets=STEP_SECONDS,
            registry=registry,
        )
        self._reused = Counter(
            "podreduce_pipeline_reused_bytes", "The outputs of reused steps, together.", registry=registry
        )
        for outcome in ENDS:
            self._steps.labels(outcome)

    def take_step(self, outcome: str, seconds: float, size: int) -> None:
        """Count a step that ended: how, after how many seconds, and how large its output is."""
        self._steps.labels(outcome).inc()
        if outcome == "Complete":
            self._seconds.observe(seconds)
        if outcome == "Reused":
            self._reused.inc(size)


def collect_pipelines(pipelines: Iterable[PipelineView]) -> Iterator[GaugeMetricFamily]:
    """Return how many pipelines are in each phase."""
    counts = Counts(str(pipeline.status.get("phase", NEW)) for pipeline in pipelines)
    family = GaugeMetricFamily(
        "podreduce_pipelines", "How many pipelines are in this phase. New: without a status.", labels=["phase"]
    )
    for phase in (NEW, *map(str, PipelinePhase)):
        family.add_metric([phase], counts.get(phase, 0))
    yield family
