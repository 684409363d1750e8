"""Runs on scratch: merged as digits carry, neighbours only, each record as seldom as possible; never too many open."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from podreduce.encoding.codec import decode_key, encode_key
from podreduce.encoding.frame_packing import FramePacker
from podreduce.encoding.frames import estimate_open_bytes
from podreduce.encoding.merge import Piece
from podreduce.rows.runs import MAX_FAN_IN, OPEN_BYTES, READ_BYTES, Run, RunStack, RunWriter, pack_group


def write_run(scratch: Path, records: Iterable[tuple[str, Any]] = (), **arguments: Any) -> Run:
    writer = RunWriter(str(scratch), **{"buckets": 1} | arguments)
    for key, value in records:
        writer.packer.add_values(0, encode_key(key), [value])
    return writer.finish()


@dataclass(slots=True, kw_only=True)
class Stack:
    """A stack of runs of one record each that says which keys it has written again, in their order."""

    scratch: Path
    budget_bytes: int
    rewritten: str = ""
    runs: RunStack = field(init=False)

    def __post_init__(self) -> None:
        self.runs = RunStack(buckets=1, budget_bytes=self.budget_bytes, directory=str(self.scratch), pack=self.pack)

    def pack(self, packer: FramePacker, bucket: int, key: bytes, pieces: Iterable[Piece]) -> None:
        self.rewritten += decode_key(key)
        pack_group(packer, bucket, key, pieces)

    def push(self, key: str, level: int = 0) -> None:
        self.runs.push(write_run(self.scratch, [(key, key)], level=level))

    def keys(self) -> str:
        return "".join(decode_key(key) for key, _ in self.runs.groups(0))


def digits(number: int, base: int) -> int:
    """The sum of a number's digits."""
    return number and number % base + digits(number // base, base)


@pytest.mark.parametrize(
    ("budget_bytes", "fan_in"),
    [(0, 2), (3 * OPEN_BYTES - 1, 2), (3 * OPEN_BYTES, 3), (1 << 40, MAX_FAN_IN)],
    ids=["nothing", "under three", "three", "plenty"],
)
def test_runs_of_one_level_are_merged_as_digits_carry(tmp_path: Path, budget_bytes: int, fan_in: int) -> None:
    stack = Stack(scratch=tmp_path, budget_bytes=budget_bytes)
    for number in range(1, 2 * fan_in + 20):
        stack.push(chr(number + 50))
        assert len(stack.runs) == digits(number, fan_in)
        assert stack.runs.merges == (number - digits(number, fan_in)) / (fan_in - 1)
    assert stack.keys() == "".join(chr(number + 50) for number in range(1, 2 * fan_in + 20))


@pytest.mark.parametrize(
    ("runs", "fit", "rewritten"),
    [
        (1, 0, ""),
        (2, 2, ""),
        (2, 1, "ab"),
        (7, 7, ""),
        (7, 6, "ab"),
        (7, 4, "ab cd ef"),
        (7, 3, "ab cd ef abcd"),
        (7, 1, "ab cd ef abcd efg abcdefg"),
        (8, 4, "ab cd ef gh"),
        (8, 3, "ab cd ef gh abcd"),
    ],
)
def test_neighbours_are_merged_in_turn_until_all_runs_fit(tmp_path: Path, runs: int, fit: int, rewritten: str) -> None:
    each = write_run(tmp_path, [("a", "a")]).open_bytes
    stack = Stack(scratch=tmp_path, budget_bytes=fit * each + each // 2)
    for number, key in enumerate("abcdefgh"[:runs]):
        stack.push(key, level=runs - number)
    stack.runs.settle()
    assert (stack.rewritten, stack.runs.merges) == (rewritten.replace(" ", ""), len(rewritten.split()))
    assert stack.keys() == "abcdefgh"[:runs]


@pytest.mark.parametrize(("too_few", "merges"), [(0, 0), (1, 1)])
def test_runs_may_take_the_whole_budget(tmp_path: Path, too_few: int, merges: int) -> None:
    each = write_run(tmp_path, [("a", "a")]).open_bytes
    stack = Stack(scratch=tmp_path, budget_bytes=2 * each - too_few)
    stack.push("a", level=1)
    stack.push("b")
    stack.runs.settle()
    assert stack.runs.merges == merges


def test_a_run_takes_its_largest_frame_and_what_is_read_at_once(tmp_path: Path) -> None:
    writer = RunWriter(str(tmp_path), buckets=3)
    for bucket, size in enumerate((10, 5000, 100)):
        writer.packer.add_values(bucket, encode_key("a"), ["x" * size])
    run = writer.finish()
    largest = max(estimate_open_bytes(frame) for bucket in range(3) for frame in run.frames(bucket))
    assert run.open_bytes == largest + READ_BYTES
    assert write_run(tmp_path).open_bytes == 0


def test_a_run_is_read_a_little_at_a_time(tmp_path: Path) -> None:
    run = write_run(tmp_path, [(number, random.Random(number).randbytes(200_000)) for number in range(10)])  # noqa: S311 - incompressible
    asked: list[int] = []

    class Watched:
        @staticmethod
        def fetch(start: int, end: int) -> bytes:
            asked.append(end - start)
            return run.file.fetch(start, end)

    assert len(list(replace(run, file=Watched()).frames(0))) == 10  # type: ignore[arg-type]
    assert max(asked) == READ_BYTES


def test_the_space_of_merged_runs_and_at_the_end_of_all_is_given_back(tmp_path: Path) -> None:
    stack = Stack(scratch=tmp_path, budget_bytes=0)
    runs = [write_run(tmp_path, [(key, key)]) for key in "abc"]
    for run in runs:
        stack.runs.push(run)
    assert runs[2].file.fetch(0, 1)
    stack.runs.close()
    assert len(stack.runs) == 0
    for run in runs:
        with pytest.raises(OSError, match="descriptor"):
            run.file.fetch(0, 1)
