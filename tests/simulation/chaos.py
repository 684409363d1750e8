"""What goes wrong in a simulated world, and how often: the kinds of fault, a budget, and the count of those that did.

Rule: a fault is counted when it takes effect. Once the budget is spent the world heals, and must come to an end.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["POD_FAULTS", "USER_FAULTS", "Chaos", "FaultKind"]


class FaultKind(StrEnum):
    """Everything that can go wrong; the coverage table has a row for each."""

    PROGRAM_ERROR = "the program raises"
    CRASH = "a task dies without a word"
    OUT_OF_MEMORY = "killed at the memory limit"
    STORE_AWAY = "a task cannot reach the store"
    STORE_DENIED = "the store refuses a task"
    EVICTED = "evicted for its own use"
    INPUT_ERROR = "the input cannot be read"
    EXIT_WITHOUT_COMMIT = "exits with 0, commits nothing"
    COMMIT_THEN_FAIL = "commits, then fails"
    LINGER = "commits, then does not exit"
    SLOW = "ten times as slow"
    HUNG = "hangs"
    DISRUPTED = "preempted or drained"
    NODE_LOST = "its node is lost, the process runs on"
    VANISHED = "the pod vanishes unseen"
    ZOMBIE = "the pod vanishes, the process runs on"
    DELETED_BY_HAND = "deleted by hand"
    DELETED_GATED = "deleted while it waits to be admitted"
    PREEMPTED = "the queue takes all pods of the job back"
    IMAGE_LATE = "the image comes late"
    IMAGE_MISSING = "the image never comes"
    UNSCHEDULABLE = "unschedulable for a while"
    NODES_TOO_SMALL = "no node has the raised memory"
    SLOW_TO_TERMINATE = "slow to terminate"
    CLOCK_SKEW = "a node's clock is off"
    POISON = "a task whose program always raises"

    STALE_LIST = "a stale list of pods"
    STALE_STATUS = "a stale view of the job"
    BLIND = "the store cannot be read"
    OUTAGE = "the store is away for minutes"
    SECRET_MISSING = "the storage Secret is missing"  # noqa: S105 - words, no password
    ACTION_FAILED = "an action fails without effect"
    ANSWER_LOST = "an action takes effect, its answer is lost"
    REFUSED = "an action is refused for good"
    OPERATOR_DIED = "the operator dies between two steps"
    SECOND_LEADER = "a second leader acts between two steps"
    CUT_SHORT = "pods are slow to create or delete"
    STATUS_LOST = "the status cannot be written"
    STATUS_CONFLICT = "the status meets a conflict"
    EVENTS_MISSED = "events are missed until the next resync"

    SUSPENDED = "suspended, later resumed"
    RUN_CHANGED = "a new runId"
    PARALLELISM_CHANGED = "another parallelism"
    BACKOFF_CHANGED = "another backoff"
    DEADLINE_SET = "a deadline is set"
    SPEC_EDITED = "a pinned field is edited"
    BLOB_LOST = "a committed map output is lost"
    UPLOAD_LOST = "a committed part is lost"
    CLOCK_SET = "the operator's clock is set"
    TWIN = "a deposed operator starts a twin"


K = FaultKind

POD_FAULTS = {
    K.PROGRAM_ERROR: 8,
    K.CRASH: 5,
    K.OUT_OF_MEMORY: 3,
    K.STORE_AWAY: 3,
    K.EVICTED: 3,
    K.INPUT_ERROR: 0.3,
    K.EXIT_WITHOUT_COMMIT: 3,
    K.COMMIT_THEN_FAIL: 4,
    K.LINGER: 3,
    K.SLOW: 5,
    K.HUNG: 3,
    K.DISRUPTED: 6,
    K.NODE_LOST: 5,
    K.VANISHED: 4,
    K.ZOMBIE: 5,
    K.DELETED_BY_HAND: 6,
    K.IMAGE_LATE: 3,
    K.IMAGE_MISSING: 0.3,
    K.UNSCHEDULABLE: 2,
}
"""What may befall an attempt, and how often in proportion."""

USER_FAULTS = {
    K.SUSPENDED: 3,
    K.RUN_CHANGED: 3,
    K.PARALLELISM_CHANGED: 2,
    K.BACKOFF_CHANGED: 2,
    K.DEADLINE_SET: 1,
    K.SPEC_EDITED: 1,
    K.BLOB_LOST: 4,
    K.UPLOAD_LOST: 4,
    K.CLOCK_SET: 1,
    K.TWIN: 3,
}
"""What may be done to a job, or to its store, from outside."""


@dataclass(slots=True)
class Chaos:
    """A world's supply of faults.

    Attributes:
        pod_rate: how likely an attempt is struck; `pass_rate` likewise a pass of the operator.
        is_on: whether this world has any faults at all; `hangs`: whether attempts may hang.
    """

    rng: random.Random
    budget: int
    pod_rate: float
    pass_rate: float
    is_on: bool = True
    hangs: bool = True
    counts: Counter[FaultKind] = field(default_factory=Counter)

    def strikes(self, kind: FaultKind, chance: float) -> bool:
        """Tell whether this fault happens now; if so it is paid for."""
        if self.budget <= 0 or self.rng.random() >= chance:
            return False
        self.spend(kind)
        return True

    def spend(self, kind: FaultKind) -> None:
        """Count a fault that happens."""
        self.budget -= 1
        self.counts[kind] += 1

    def draw_pod_fault(self) -> FaultKind | None:
        """Return what befalls a new attempt, if anything."""
        if self.budget <= 0 or self.rng.random() >= self.pod_rate:
            return None
        kind = self.rng.choices(POD_KINDS, POD_WEIGHTS)[0]
        if kind is K.HUNG and not self.hangs:
            kind = K.SLOW
        if kind is K.STORE_AWAY and self.budget % 2:
            kind = K.STORE_DENIED  # not drawn: every world would become another
        self.spend(kind)
        return kind

    @property
    def total(self) -> int:
        """How many faults have happened; a clock that is off is a circumstance, and not counted."""
        return self.counts.total() - self.counts[K.CLOCK_SKEW]


POD_KINDS = list(POD_FAULTS)
POD_WEIGHTS = list(POD_FAULTS.values())
