from datetime import UTC, datetime
from io import BytesIO
from itertools import accumulate
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from podreduce.contract.plan import JobIdentity
from podreduce.contract.post_mortem import Attempt, AttemptResult
from podreduce_operator.history.attempts_table import write_attempts_table

JOB = JobIdentity(namespace="team", name="wordcount", uid="u", run_id="7")
TIME = datetime(2026, 11, 26, 15, 11, 29, 673_000, UTC)


def make_attempt(index: int = 0, **fields: Any) -> Attempt:
    defaults: dict[str, Any] = {"attempt": f"pod-{index}", "attempt_id": f"{index}-0"}
    return Attempt(task=f"m-{index}", result=AttemptResult.COMMITTED, **(defaults | fields))


def read(*groups: list[Attempt]) -> tuple[list[dict[str, Any]], dict[bytes, bytes]]:
    table = pq.read_table(BytesIO(write_attempts_table(JOB, groups)))
    return table.to_pylist(), table.schema.metadata


FULL = make_attempt(
    3,
    reason="ProgramError",
    message="boom",
    exit_code=64,
    counted=True,
    created_at=TIME,
    scheduled_at=TIME,
    started_at=TIME,
    finished_at=TIME,
    deleted_at=TIME,
    why_deleted="failure recorded",
    pending_seconds=0.5,
    starting_seconds=1.5,
    running_seconds=2.5,
    node="node-1",
    phase="Failed",
    generation=2,
    ordinal=4,
    cpu_requested=0.25,
    memory_requested_bytes=2**40,
    records_in=2**40,
    bytes_in=1,
    records_out=2,
    bytes_out=3,
    spills=4,
    bad_records=5,
)


def test_a_row_says_what_the_attempt_does() -> None:
    (row,), _ = read([FULL])
    assert row == {"task_type": "map", "task_index": 3, **msgspec.structs.asdict(FULL)}


def test_what_is_not_known_is_null() -> None:
    (row,), _ = read([make_attempt()])
    known = {name for name, value in row.items() if value is not None}
    assert known == {"task_type", "task_index", "task", "attempt", "result", "generation", "attempt_id"}


@pytest.mark.parametrize("sizes", [(), (1,), (9,), (10, 1), (10, 10, 5), (0, 1)], ids=str)
def test_all_attempts_stand_in_their_order_however_many_groups_there_are(sizes: tuple[int, ...]) -> None:
    attempts = [make_attempt(index) for index in range(sum(sizes))]
    starts = list(accumulate(sizes, initial=0))
    found, _ = read(*(attempts[start : start + size] for start, size in zip(starts, sizes, strict=False)))
    assert [row["task_index"] for row in found] == list(range(sum(sizes)))


def test_the_table_names_its_job() -> None:
    _, metadata = read()
    assert metadata[b"podreduce.name"] == b"wordcount"
    assert metadata[b"podreduce.run_id"] == b"7"
