"""Why an attempt failed, as the termination message: JSON within the kubelet's limit; the longest text is cut first."""

import traceback
from pathlib import Path

import msgspec

from podreduce.contract.errors import (
    InternalError,
    MapOutputLostError,
    PodreduceError,
    ProgramError,
    TooManyBadRecordsError,
)
from podreduce.contract.task import TERMINATION_MESSAGE_BYTES, TaskOutcome
from podreduce.contract.texts import cut_middle
from podreduce.contract.wire import encode
from podreduce.encoding.showing import show_error
from podreduce.watching.logs import get_logger

__all__ = ["fit_outcome", "outcome_of", "write_outcome"]

TEXTS = ("traceback", "record", "message")


def outcome_of(error: BaseException) -> TaskOutcome:
    """Return what the operator should know about `error`."""
    if isinstance(error, MemoryError):
        return TaskOutcome(
            reason="OutOfMemory",
            message="Python ran out of memory: raise the memory limit, or hold fewer values at a time",
            traceback=format_error(error),
        )
    if isinstance(error, KeyboardInterrupt):
        return TaskOutcome(reason="Terminated", message="the attempt was interrupted")
    if not isinstance(error, PodreduceError):
        return TaskOutcome(
            reason="InternalError",
            message=f"{show_error(error)}; please report this with the log",
            traceback=format_error(error),
        )
    return outcome_of_ours(error)


def outcome_of_ours(error: PodreduceError) -> TaskOutcome:
    """Return the outcome with the message and the other fields of this kind of error."""
    outcome = TaskOutcome(reason=error.reason, message=str(error))
    match error:
        case ProgramError():
            return msgspec.structs.replace(outcome, traceback=error.user_traceback, record=error.record)
        case TooManyBadRecordsError():
            return msgspec.structs.replace(
                outcome, traceback=error.user_traceback, record=error.record, bad_records=error.bad_records
            )
        case MapOutputLostError():
            return msgspec.structs.replace(outcome, lost=error.lost)
        case InternalError():
            return msgspec.structs.replace(outcome, traceback=format_error(error))
        case _:
            return outcome


def format_error(error: BaseException) -> str:
    """Return the whole traceback."""
    return "".join(traceback.format_exception(error))


def write_outcome(outcome: TaskOutcome, path: Path) -> None:
    """Write the termination message; if that fails, only the exit code remains."""
    try:
        path.write_bytes(fit_outcome(outcome))
    except OSError as error:
        get_logger().warning("cannot write the termination message", path=str(path), error=str(error))


def fit_outcome(outcome: TaskOutcome, limit_bytes: int = TERMINATION_MESSAGE_BYTES) -> bytes:
    """Encode `outcome` in at most `limit_bytes`; cut the middle of its longest text until it fits."""
    outcome = msgspec.structs.replace(outcome, **{name: cleaned(getattr(outcome, name)) for name in TEXTS})
    while len(data := encode(outcome)) > limit_bytes:
        longest = max(TEXTS, key=lambda name: len(getattr(outcome, name)))
        text = getattr(outcome, longest)
        outcome = msgspec.structs.replace(outcome, **{longest: cut_middle(text, len(text) * 4 // 5)})
    return data


def cleaned(text: str) -> str:
    """Return `text` without lone surrogates, which JSON cannot hold."""
    return text.encode("utf-8", "replace").decode()
