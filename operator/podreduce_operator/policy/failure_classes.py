"""The table of failure classes: what a failure costs, how long the next attempt waits, and whether there is one.

Rule: pure data. `failure_causes` finds an attempt's reason, and this table says what the reason means. Each class has
its own budget and delay for failures that do not count. So a store that is down for an hour, a cluster that takes nodes
back, and a program that raises are handled separately.
"""

from dataclasses import dataclass

__all__ = [
    "CLASSES",
    "DENIAL",
    "DISRUPTION",
    "MEMORY",
    "MEMORY_UNAVAILABLE",
    "OUTAGE",
    "SETUP",
    "FailureClass",
    "class_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureClass:
    """What failures of one kind have in common.

    Attributes:
        reasons: the reasons in failure records that belong to this class.
        is_counted: each failure uses up `backoffLimitPerTask`, and the next attempt waits by `spec.backoff`.
        is_fatal: another attempt would fail the same way, so the job fails at once.
        limit: how many failures of a task may go uncounted before the job fails with the reason `exhausted`.
        first_delay_seconds: the delay after the first uncounted failure. It doubles up to `max_delay_seconds`.
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
"""The program or the task caused it."""

SETUP = FailureClass(name="setup", reasons=frozenset({"SetupFailed"}), is_counted=True)
"""The program raised before the first record, so no record is to blame. The same error twice in a task ends the job."""

MEMORY_UNAVAILABLE = "MemoryUnavailable"
MEMORY = FailureClass(name="memory", reasons=frozenset({"OutOfMemory", MEMORY_UNAVAILABLE}), is_counted=True)
"""Counted, except the first; after that one the task gets more memory (`backoff.outOfMemoryFactor`).

If no node has that much, the attempt is given up and counted, and the next one asks for the usual memory.
"""

DISRUPTION = FailureClass(name="disruption", reasons=frozenset({"Disrupted", "PodDeleted", "ShuffleNotFrozen"}))
"""The cluster took the pod: a drain, a preemption, a reclaimed spot node, a lost node, or a `kubectl delete`.

Or the operator was down, and a reduce in the same pod as its maps waited too long for the shuffle manifest.
"""

LOSS = FailureClass(name="loss", reasons=frozenset({"MapOutputLost", "UploadLost"}), exhausted="TooManyLostOutputs")
"""Committed data is gone. The task that made it runs again."""

OUTAGE = FailureClass(
    name="outage",
    reasons=frozenset({"StorageUnavailable"}),
    limit=20,
    first_delay_seconds=5.0,
    max_delay_seconds=300.0,
    exhausted="StorageUnavailable",
)
"""The store is down. Twenty attempts take more than an hour. A job that allows no retries gets none here either."""

DENIAL = FailureClass(
    name="denial",
    reasons=frozenset({"StorageDenied"}),
    limit=12,
    first_delay_seconds=5.0,
    max_delay_seconds=300.0,
    exhausted="StorageDenied",
)
"""The store refuses a task, although it accepted the operator's requests when the run was planned.

A policy is being changed, a key is being rotated, or a session token has expired. Twelve attempts take half an hour:
time to correct the Secret. A job that allows no retries gets none here either.
"""

REFUSAL = FailureClass(
    name="refusal",
    reasons=frozenset(
        {"ImageUnavailable", "InputError", "PlanMismatch", "PodConfigInvalid", "ProgramInvalid", "Unschedulable"}
    ),
    is_fatal=True,
)
"""The program's text, image, configuration, input or plan is wrong, and waiting did not help."""

EXCESS = FailureClass(name="excess", reasons=frozenset({"TooManyBadRecords"}), exhausted="TooManyBadRecords")
"""One shard has more bad records than the job allows. This ends the job unless the limit was raised since.

See `bad_record_limit`.
"""

CLASSES = (PROGRAM, SETUP, MEMORY, DISRUPTION, LOSS, OUTAGE, DENIAL, EXCESS, REFUSAL)
CLASS_BY_REASON = {reason: known for known in CLASSES for reason in known.reasons}


def class_of(reason: str) -> FailureClass:
    """Return the class of a recorded reason. An unknown reason counts as the program's."""
    return CLASS_BY_REASON.get(reason, PROGRAM)
