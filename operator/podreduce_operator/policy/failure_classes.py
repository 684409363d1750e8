"""The classes of failure, one table: what each costs, how long the next attempt waits, and whether there is one.

Pure data: `failures` finds an attempt's reason, and what follows from a reason is read off here. A failure that does
not count has a budget and a delay of its own class, so that a store that is away for an hour, a cluster that takes its
nodes back, and a program that raises are not mistaken for one another.
"""

from dataclasses import dataclass

__all__ = ["CLASSES", "DISRUPTION", "MEMORY", "OUTAGE", "FailureClass", "class_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureClass:
    """What failures of one kind have in common.

    Attributes:
        reasons: as in failure records.
        is_counted: each uses up `backoffLimitPerTask`, and waits by `spec.backoff`.
        is_fatal: another attempt would end the same way, so the job fails at once.
        limit: how many a task may have that do not count, before the job fails with `exhausted`.
        first_delay_seconds: after the first that does not count; each further one doubles it, to `max_delay_seconds`.
    """

    name: str
    reasons: frozenset[str]
    is_counted: bool = False
    is_fatal: bool = False
    limit: int = 50
    first_delay_seconds: float = 1.0
    max_delay_seconds: float = 60.0
    exhausted: str = "TooManyDisruptions"


PROGRAM = FailureClass(
    name="program",
    reasons=frozenset(
        {
            "ProgramError",
            "CommitMissing",
            "Evicted",
            "InternalError",
            "Killed",
            "NoProgress",
            "PodFailed",
            "ScratchFull",
            "Terminated",
        }
    ),
    is_counted=True,
)
"""The program's own doing, or the task's."""

MEMORY = FailureClass(name="memory", reasons=frozenset({"OutOfMemory"}), is_counted=True)
"""Counted but for the first, after which the task gets more memory (`backoff.outOfMemoryFactor`)."""

DISRUPTION = FailureClass(name="disruption", reasons=frozenset({"Disrupted", "PodDeleted", "ShuffleNotFrozen"}))
"""The cluster took the pod: a drain, a preemption, a spot node reclaimed, a node lost, somebody's `kubectl delete`. Or
the operator was away, and a reduce that was started with its maps waited for it in vain."""

LOSS = FailureClass(name="loss", reasons=frozenset({"MapOutputLost", "UploadLost"}), exhausted="TooManyLostOutputs")
"""Committed data is gone; what made it runs again."""

OUTAGE = FailureClass(
    name="outage",
    reasons=frozenset({"StorageUnavailable"}),
    limit=20,
    first_delay_seconds=5.0,
    max_delay_seconds=300.0,
    exhausted="StorageUnavailable",
)
"""The store is away. Twenty attempts take more than an hour; a job that allows no retries gets none here either."""

REFUSAL = FailureClass(
    name="refusal",
    reasons=frozenset({"ImageUnavailable", "InputError", "PlanMismatch", "PodConfigInvalid", "StorageDenied"})
    | {"Unschedulable"},
    is_fatal=True,
)
"""Image, Secret, configuration, input or plan are not what the job needs, and waiting did not mend it."""

EXCESS = FailureClass(name="excess", reasons=frozenset({"TooManyBadRecords"}), exhausted="TooManyBadRecords")
"""More bad records in one shard than the job may have. That ends the job, unless the limit was raised meanwhile: see
`bad_records`."""

CLASSES = (PROGRAM, MEMORY, DISRUPTION, LOSS, OUTAGE, EXCESS, REFUSAL)
CLASS_BY_REASON = {reason: known for known in CLASSES for reason in known.reasons}


def class_of(reason: str) -> FailureClass:
    """Return the class of a recorded reason; one that nobody knows (any more) is the program's."""
    return CLASS_BY_REASON.get(reason, PROGRAM)
