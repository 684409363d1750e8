import msgspec
import pytest

from podreduce.contract.errors import (
    InputError,
    InternalError,
    MapOutputLostError,
    PodreduceError,
    ProgramError,
    TooManyBadRecordsError,
)
from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import LostOutput, TaskOutcome, TaskRef
from podreduce.contract.wire import decode
from podreduce.watching.outcome import fit_outcome, outcome_of


def throw(error: BaseException) -> None:
    raise error


def raised(error: BaseException) -> BaseException:
    """The error with a traceback."""
    with pytest.raises(type(error)) as info:
        throw(error)
    return info.value


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (ProgramError("boom"), "ProgramError", "boom"),
        (InputError("s3://a: gone"), "InputError", "s3://a: gone"),
        (MemoryError(), "OutOfMemory", "raise the memory limit"),
        (KeyboardInterrupt(), "Terminated", "interrupted"),
        (KeyError("x"), "InternalError", "KeyError: 'x'; please report"),
        (InternalError("bug"), "InternalError", "bug"),
    ],
)
def test_every_failure_has_a_reason_and_a_message(error: BaseException, reason: str, message: str) -> None:
    outcome = outcome_of(raised(error))
    assert outcome.reason == reason
    assert message in outcome.message
    assert ("Traceback" in outcome.traceback) == (reason in ("InternalError", "OutOfMemory"))


def test_what_the_error_knows_is_passed_on() -> None:
    outcome = outcome_of(ProgramError("boom", user_traceback="File job.py", record="s3://a at byte 5"))
    assert (outcome.traceback, outcome.record) == ("File job.py", "s3://a at byte 5")
    too_many = TooManyBadRecordsError("11", bad_records=11, user_traceback="File job.py", record="s3://a at byte 5")
    outcome = outcome_of(too_many)
    assert (outcome.traceback, outcome.record, outcome.bad_records) == ("File job.py", "s3://a at byte 5", 11)
    lost = LostOutput(task=TaskRef.parse("m-3"), generation=1)
    assert outcome_of(MapOutputLostError("gone", lost=lost)).lost == lost


def test_every_error_has_an_exit_code() -> None:
    codes = [error.exit_code for error in PodreduceError.__subclasses__()]
    assert ExitCode.OK not in codes


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "boom"},
        {"message": "x" * 10_000},
        {"message": "m", "traceback": "é\n" * 5000, "record": '"' * 3000},
        {"message": "\ud800", "traceback": "\x00" * 5000},
        {"message": "m" * 4096, "traceback": "t" * 4096, "record": "r" * 4096},
    ],
    ids=["short", "long message", "escapes", "no UTF-8", "all long"],
)
def test_the_termination_message_fits(fields: dict[str, str]) -> None:
    outcome = TaskOutcome(reason="ProgramError", **fields)
    data = fit_outcome(outcome)
    assert len(data) <= 4096
    assert len(data) > 2500 or fields == {"message": "boom"}
    assert decode(data, TaskOutcome).reason == "ProgramError"


def test_a_traceback_keeps_its_beginning_and_end() -> None:
    lines = "".join(f"line {number}\n" for number in range(2000))
    fitted = decode(fit_outcome(TaskOutcome(reason="ProgramError", message="m", traceback=lines)), TaskOutcome)
    assert fitted.traceback.startswith("line 0\nline 1\n")
    assert fitted.traceback.endswith("line 1999\n")
    assert "…" in fitted.traceback
    assert msgspec.structs.replace(fitted, traceback="").message == "m"
