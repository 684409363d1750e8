"""What can go wrong in a task, split by who must act: the job's author, the cluster's owner, or podreduce's developers.

Rule: every error a task raises on purpose is one of these; each has its `exit_code` and `reason` here and nowhere else.
"""

from typing import ClassVar

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import LostOutput

__all__ = [
    "BucketNotFoundError",
    "InputError",
    "InternalError",
    "MapOutputLostError",
    "ObjectChangedError",
    "ObjectNotFoundError",
    "ObjectTooLargeError",
    "PlanMismatchError",
    "PodreduceError",
    "ProgramError",
    "ProgramInvalidError",
    "ScratchFullError",
    "SetupFailedError",
    "ShuffleNotFrozenError",
    "StorageDeniedError",
    "StorageUnavailableError",
    "TooManyBadRecordsError",
    "UploadLostError",
]


class PodreduceError(Exception):
    """The root. The message names the thing, its place and the remedy."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL_ERROR
    reason: ClassVar[str] = "InternalError"


class InternalError(PodreduceError):
    """A bug of podreduce."""


class ProgramError(PodreduceError):
    """The job's program is at fault.

    Attributes:
        user_traceback: the user's frames only, as text; may be empty.
        record: the record that raised, with its object and offset, as text.
    """

    exit_code = ExitCode.PROGRAM_ERROR
    reason = "ProgramError"

    def __init__(self, message: str, *, user_traceback: str = "", record: str = "") -> None:
        super().__init__(message)
        self.user_traceback = user_traceback
        self.record = record


class ProgramInvalidError(ProgramError):
    """The program is no job, whatever the records are: its text or members are wrong, or it lacks a module."""

    reason = "ProgramInvalid"


class SetupFailedError(ProgramError):
    """The program raised before the first record: at its import, in the constructor of the job class, or in `setup`."""

    reason = "SetupFailed"


class InputError(PodreduceError):
    """An input object does not match the job's description, or has changed since the plan was made."""

    exit_code = ExitCode.INPUT_ERROR
    reason = "InputError"


class TooManyBadRecordsError(PodreduceError):
    """A map task skipped more bad records than the job allows.

    Attributes:
        bad_records: how many.
        user_traceback: the last one's; `record` likewise. See ProgramError.
    """

    exit_code = ExitCode.TOO_MANY_BAD_RECORDS
    reason = "TooManyBadRecords"

    def __init__(self, message: str, *, bad_records: int, user_traceback: str = "", record: str = "") -> None:
        super().__init__(message)
        self.bad_records = bad_records
        self.user_traceback = user_traceback
        self.record = record


class StorageDeniedError(PodreduceError):
    """The store refuses: wrong credentials, no permission, or no such bucket."""

    exit_code = ExitCode.STORAGE_DENIED
    reason = "StorageDenied"


class BucketNotFoundError(StorageDeniedError):
    """There is no such bucket, so there is nothing in it either."""


class StorageUnavailableError(PodreduceError):
    """The store does not answer, or answers with a temporary fault; trying again later may help."""

    exit_code = ExitCode.STORAGE_UNAVAILABLE
    reason = "StorageUnavailable"


class ObjectNotFoundError(PodreduceError):
    """The store has no object at that key. Callers translate it; uncaught it is a bug."""


class ObjectTooLargeError(PodreduceError):
    """The object is larger than its reader takes. Callers translate it; uncaught it is a bug."""


class UploadLostError(PodreduceError):
    """The store no longer has a multipart upload: it was aborted, or expired unfinished."""

    exit_code = ExitCode.STORAGE_UNAVAILABLE
    reason = "UploadLost"


class ObjectChangedError(PodreduceError):
    """The object no longer has the requested version (ETag). Callers translate it."""


class PlanMismatchError(PodreduceError):
    """The plan in the store is not the one the operator named."""

    exit_code = ExitCode.PLAN_MISMATCH
    reason = "PlanMismatch"


class MapOutputLostError(PodreduceError):
    """A committed map output is missing or fails its checksum; `lost` says which."""

    exit_code = ExitCode.MAP_OUTPUT_LOST
    reason = "MapOutputLost"

    def __init__(self, message: str, *, lost: LostOutput) -> None:
        super().__init__(message)
        self.lost = lost


class ShuffleNotFrozenError(PodreduceError):
    """A reduce task in the same pod as its maps waited too long for the shuffle manifest."""

    exit_code = ExitCode.SHUFFLE_NOT_FROZEN
    reason = "ShuffleNotFrozen"


class ScratchFullError(PodreduceError):
    """The scratch volume is full."""

    exit_code = ExitCode.SCRATCH_FULL
    reason = "ScratchFull"
