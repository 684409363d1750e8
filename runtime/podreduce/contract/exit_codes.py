"""A task's exit codes, by who must act. The operator reads them when a pod died without a termination message."""

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """How an attempt ended, as its process reports it."""

    OK = 0
    """The task is committed, by this attempt or by a faster one."""
    INTERNAL_ERROR = 1
    """A bug of podreduce, or a failure of the interpreter itself."""
    PROGRAM_ERROR = 64
    """The user's program raised, cannot be loaded, or yielded something that cannot be shuffled."""
    INPUT_ERROR = 65
    """An input object violates its format, changed after planning, or is gone."""
    STORAGE_DENIED = 66
    """The store refused the credentials or the bucket does not exist: someone must change it."""
    STORAGE_UNAVAILABLE = 67
    """The store did not answer, or answered with a temporary fault, after the task's own retries."""
    PLAN_MISMATCH = 68
    """The plan in the store is not the one the operator named."""
    MAP_OUTPUT_LOST = 69
    """A committed map output is missing or fails its checksum."""
    OUT_OF_MEMORY = 70
    """Python raised MemoryError (the kernel's own kill shows as 137)."""
    SCRATCH_FULL = 71
    """The task's scratch volume has no space for its spills."""
    TOO_MANY_BAD_RECORDS = 72
    """More of the shard's records are bad than `spec.maxBadRecords` allows in the whole job."""
    SHUFFLE_NOT_FROZEN = 73
    """A reduce task in the same pod as its maps waited for the shuffle manifest as long as it may."""
    TERMINATED = 143
    """The attempt was asked to stop (SIGTERM)."""
