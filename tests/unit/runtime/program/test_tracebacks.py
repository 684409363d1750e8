from collections.abc import Callable
from pathlib import Path

import pytest

from podreduce.contract.errors import InputError, InternalError, ProgramError
from podreduce.contract.plan import Program
from podreduce.program import calling
from podreduce.program.loading import load_program
from podreduce.program.tracebacks import CALLERS, RECORD_LENGTH, describe_key, describe_record, raise_blamed

SOURCE = """
import json

class Job:
    def map_func(self, key, value):
        try:
            return json.loads(value)
        except ValueError as error:
            raise RuntimeError("bad line") from error

    def reduce_func(self, key, values):
        pass

    def combine_func(self, key, values):
        return [(key, self.map_func(0, value)) for value in values]
"""


def blame(call: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as info:  # noqa: PT011 - any
        call()
    with pytest.raises(type(info.value) if isinstance(info.value, ProgramError) else BaseException) as blamed:
        raise_blamed(info.value, "the record")
    return blamed.value


def test_only_the_users_frames_are_shown_with_their_lines_and_causes() -> None:
    combine = calling.combine_by_program(load_program(Program(source=SOURCE), name="myjob"))
    assert combine
    error = blame(lambda: combine("k", ["{"]))
    assert isinstance(error, ProgramError)
    assert str(error) == "RuntimeError: bad line"
    assert error.record == "key 'k'"
    trace = error.user_traceback
    assert 'File "myjob.py", line 9, in map_func\n    raise RuntimeError("bad line") from error' in trace
    assert "JSONDecodeError" in trace
    assert "json/decoder.py" in trace
    assert "/podreduce/" not in trace


@pytest.mark.parametrize("error", [InputError("x"), MemoryError(), KeyboardInterrupt()])
def test_what_is_not_the_programs_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as info:
        raise_blamed(error, "the record")
    assert info.value is error


def test_an_error_of_our_own_below_the_program_is_a_bug() -> None:
    def broken() -> None:
        calling.check_pair.__globals__["decode_key"](5)

    assert isinstance(blame(broken), InternalError)


def test_a_program_error_keeps_its_record_or_gets_one() -> None:
    for record, expected in [("own", "own"), ("", "the record")]:
        with pytest.raises(ProgramError) as info:
            raise_blamed(ProgramError("x", record=record), "the record")
        assert info.value.record == expected


def test_records_are_named_and_cut() -> None:
    assert describe_record("s3://b/a", "byte", 17, "tab\t") == "s3://b/a at byte 17: 'tab\\t'"
    long = describe_record("s3://b/a", "byte", 17, "x" * 5000)
    assert len(long) < RECORD_LENGTH + 60
    assert long.endswith("(5,002 characters)")
    assert describe_key(("a", 1)) == "key ('a', 1)"


@pytest.mark.parametrize("caller", CALLERS)
def test_the_modules_that_call_the_program_are_there(caller: str) -> None:
    assert Path(caller).is_file()
