"""Values that stay large when they are compressed pass through a whole job, as rows and as columns."""

import hashlib
import random
from collections.abc import Sequence

import pytest

from podreduce.contract.task import CommitRecord
from podreduce.encoding.blobs import LARGE_BODY_BYTES
from tests.support.task_runs import TaskRun

ROWS = """
import hashlib, random

class Large:
    def map_func(self, key, value):
        name, size = value.split()
        yield name, random.Random(value).randbytes(int(size))

    def reduce_func(self, key, values):
        for value in values:
            yield key, hashlib.sha256(value).hexdigest()
"""

COLUMNS = """
import hashlib, random
import pyarrow as pa

class Large:
    def map_batch(self, batch):
        lines = batch["value"].to_pylist()
        values = [random.Random(line).randbytes(int(line.split()[1])) for line in lines]
        return pa.table({"key": [line.split()[0] for line in lines], "value": values})

    def reduce_batch(self, batch):
        digests = [hashlib.sha256(value).hexdigest() for value in batch["value"].to_pylist()]
        return pa.table({"key": batch["key"], "value": digests})
"""
SIZES = (LARGE_BODY_BYTES - 100, LARGE_BODY_BYTES + 100, 1 << 20, 1)
"""Of the values, from the one line to the next: a frame is written in one piece or in two."""


def digests(lines: Sequence[str]) -> list[str]:
    """What the job writes, by other means: the lines in the order of their names."""
    values = [(line.split()[0], seeded(line).randbytes(int(line.split()[1]))) for line in lines]
    return [f"{name}\t{hashlib.sha256(value).hexdigest()}" for name, value in sorted(values, key=lambda pair: pair[0])]


def seeded(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a generator of test data


@pytest.mark.parametrize("source", [ROWS, COLUMNS], ids=["rows", "columns"])
@pytest.mark.parametrize("order", ["Partition", "Total"])
def test_frames_beyond_the_limit_keep_their_headers(source: str, order: str) -> None:
    lines = [f"key{number % 3} {size}" for number, size in enumerate(SIZES * 2)]
    data = "\n".join(lines).encode()
    run = TaskRun(
        source=source, objects={"a": data}, cuts=[len(data) // 2], partitions=1, plan_changes={"order": order}
    )
    assert run.output_lines() == digests(lines)


@pytest.mark.parametrize("source", [ROWS, COLUMNS], ids=["rows", "columns"])
def test_runs_of_several_frames_are_merged_in_order(source: str) -> None:
    lines = [f"key{number % 4} {900_000 + number}" for number in range(48)]
    run = TaskRun(source=source, objects={"a": "\n".join(lines).encode()}, partitions=1, memory_bytes=1)
    record = run.map(0)
    assert spilled(record) >= 2
    (reduced,) = run.reduce_all([record])
    assert spilled(reduced) >= 2
    assert run.lines_of([reduced]) == digests(lines)


def spilled(record: CommitRecord) -> int:
    """How often the task spilled."""
    return record.spills
