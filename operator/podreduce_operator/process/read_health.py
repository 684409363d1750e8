"""Reads the numbers for `health` and the metrics from the parts of the operator that exist so far.

Rule: only reads, and never waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.cluster.kubernetes.pipelines import KubernetesPipelines
from podreduce_operator.cluster.kubernetes.schedules import KubernetesSchedules
from podreduce_operator.leadership.elector import Elector
from podreduce_operator.loop.passes import Passes
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.process.health import HealthFigures
from podreduce_operator.process.loop_lag import LoopLag

__all__ = ["HealthReader"]


@dataclass(slots=True, kw_only=True)
class HealthReader:
    """The parts of the operator with health numbers. Each is None until it exists, or if it is not served or used.

    `passes`: the loops of all kinds.
    """

    lag: LoopLag
    cluster: KubernetesCluster | None = None
    pipeline_cluster: KubernetesPipelines | None = None
    schedule_cluster: KubernetesSchedules | None = None
    reconciler: Reconciler | None = None
    elector: Elector | None = None
    passes: Sequence[Passes[Any]] = ()

    def jobs(self) -> Sequence[JobView]:
        """Return all known jobs."""
        return () if self.cluster is None else self.cluster.jobs.views()

    def pipelines(self) -> Sequence[PipelineView]:
        """Return all known pipelines."""
        return () if self.pipeline_cluster is None else self.pipeline_cluster.watched.views()

    def schedules(self) -> Sequence[ScheduleView]:
        """Return all known schedules."""
        return () if self.schedule_cluster is None else self.schedule_cluster.watched.views()

    def pending_pods(self) -> Mapping[str, int]:
        """Return how many pods have not started, by what keeps them."""
        return {} if self.cluster is None else self.cluster.pending_pods()

    def due_passes(self) -> int:
        """Return how many passes are due or running."""
        return sum(each.due_passes() for each in self.passes)

    def left_alone(self) -> int:
        """Return how many jobs belong to other installations."""
        return 0 if self.reconciler is None else len(self.reconciler.left_alone)

    def read(self) -> HealthFigures:
        """Return the current numbers."""
        cluster, elector = self.cluster, self.elector
        return HealthFigures(
            loop_lag_seconds=self.lag.seconds(),
            silence_seconds=0.0 if cluster is None else cluster.seconds_since_contact(),
            overdue_seconds=max((each.overdue_seconds() for each in self.passes), default=0.0),
            oldest_pass_seconds=max((each.oldest_pass_seconds() for each in self.passes), default=0.0),
            missing_rights=() if cluster is None else cluster.missing_rights(),
            is_synced=cluster is not None and cluster.is_synced,
            standing=None if elector is None else elector.standing(),
            leader="" if elector is None else elector.holder,
            lease_error="" if elector is None else elector.trouble,
        )
