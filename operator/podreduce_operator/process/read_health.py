"""Reads the numbers for `health` and the metrics from the parts of the operator that exist so far.

Rule: only reads, and never waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.leadership.elector import Elector
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.jobs import JobView
from podreduce_operator.process.health import HealthFigures
from podreduce_operator.process.loop_lag import LoopLag

__all__ = ["HealthReader"]


@dataclass(slots=True, kw_only=True)
class HealthReader:
    """The parts of the operator with health numbers. Each is None until it exists, or if there is no election."""

    lag: LoopLag
    cluster: KubernetesCluster | None = None
    reconciler: Reconciler | None = None
    elector: Elector | None = None

    def jobs(self) -> Sequence[JobView]:
        """Return all known jobs."""
        return () if self.cluster is None else self.cluster.views()

    def pending_pods(self) -> Mapping[str, int]:
        """Return how many pods have not started, by what keeps them."""
        return {} if self.cluster is None else self.cluster.pending_pods()

    def due_passes(self) -> int:
        """Return how many passes are due or running."""
        return 0 if self.reconciler is None else self.reconciler.passes.due_passes()

    def left_alone(self) -> int:
        """Return how many jobs belong to other installations."""
        return 0 if self.reconciler is None else len(self.reconciler.left_alone)

    def read(self) -> HealthFigures:
        """Return the current numbers."""
        cluster, reconciler, elector = self.cluster, self.reconciler, self.elector
        return HealthFigures(
            loop_lag_seconds=self.lag.seconds(),
            silence_seconds=0.0 if cluster is None else cluster.seconds_since_contact(),
            overdue_seconds=0.0 if reconciler is None else reconciler.passes.overdue_seconds(),
            oldest_pass_seconds=0.0 if reconciler is None else reconciler.passes.oldest_pass_seconds(),
            missing_rights=() if cluster is None else cluster.missing_rights(),
            is_synced=cluster is not None and cluster.is_synced,
            standing=None if elector is None else elector.standing(),
            leader="" if elector is None else elector.holder,
            lease_trouble="" if elector is None else elector.trouble,
        )
