"""What the operator stores about attempts while their run goes on, because a deleted pod leaves nothing.

Several records may describe one attempt at different times; the latest is the most complete.
"""

from podreduce.contract.task import TaskRef
from podreduce.contract.wire import SCHEMA_VERSION, Wire

__all__ = ["AttemptBatch", "AttemptRecord"]


class AttemptRecord(Wire, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An attempt's pod as it was at `kept_at`. Times are seconds since the epoch, by the cluster's clocks.

    Attributes:
        phase: the pod's phase, as Kubernetes names it.
        node: where it ran, or was going to run; empty before it had a node.
        scheduled_at: when it got its node; `started_at` is when its container started.
        deleted_at: when its deletion was decided, or seen; `why_deleted` only if the operator did it.
        reason: why it waited or ended, as the kubelet names it; with `message`.
        cpu_millis: what its container requested, in thousandths of a core; `memory_bytes` likewise.
    """

    task: TaskRef
    generation: int
    ordinal: int
    attempt_id: str
    pod_name: str
    kept_at: float
    phase: str
    node: str = ""
    created_at: float | None = None
    scheduled_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    deleted_at: float | None = None
    why_deleted: str = ""
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    cpu_millis: int | None = None
    memory_bytes: int | None = None


class AttemptBatch(Wire, frozen=True, kw_only=True):
    """All records of one pass of the operator: one object, however many pods it saw."""

    schema: int = SCHEMA_VERSION
    attempts: tuple[AttemptRecord, ...]
