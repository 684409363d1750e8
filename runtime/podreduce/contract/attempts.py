"""What the operator keeps of attempts while their run goes on, for a pod takes what it knows of its attempt with it.

Several records may tell of one attempt, each when it had come further; the later one knows better.
"""

from podreduce.contract.task import TaskRef
from podreduce.contract.wire import SCHEMA_VERSION, Wire

__all__ = ["AttemptBatch", "AttemptRecord"]


class AttemptRecord(Wire, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An attempt's pod as it was seen at `kept_at`. Times are seconds since the epoch, by the cluster's clocks.

    Attributes:
        phase: the pod's, in Kubernetes' words.
        node: where it ran, or was to run; empty before it had one.
        scheduled_at: when it got its node; `started_at` is when its container started.
        deleted_at: when its deletion was decided, or seen; `why_deleted` only if the operator did it.
        reason: why it waited or ended, in the kubelet's words; with `message`.
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
    """What one pass of the operator had to keep: one object, however many pods it saw."""

    schema: int = SCHEMA_VERSION
    attempts: tuple[AttemptRecord, ...]
