"""How a sorter keeps to its budget: what it spills, how many runs it merges at once, how often a row is written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from podreduce.columnar import sorting as column_sorting
from podreduce.columnar.columns import compact_table
from podreduce.columnar.runs import ColumnRun, merge_tables
from podreduce.columnar.sorting import HELD_SHARE, MAX_FAN_IN, OPEN_BYTES, ColumnSorter
from podreduce.encoding.keys import encode_key

ROWS = 10


def make_sorter(scratch: Path, budget_bytes: int, buckets: int = 1) -> ColumnSorter:
    """A sorter of a few buckets, one for each key."""
    return ColumnSorter(
        buckets=buckets,
        bucket_of=[encode_key(each) for each in range(buckets)].index,
        budget_bytes=budget_bytes,
        scratch_directory=str(scratch),
        member="x",
    )


def table_at(number: int) -> pa.Table:
    return pa.table({"key": np.arange(ROWS) * 7 % 5, "value": np.arange(ROWS) + number * ROWS})


def read_sorted(sorter: ColumnSorter) -> list[tuple[int, ...]]:
    return [tuple(row.values()) for _, table in sorter.tables() for row in table.to_pylist()]


class Watched(NamedTuple):
    """How many runs were merged each time; the rows of each run that was written, and the runs that are open."""

    merged: list[int]
    written: list[int]
    opened: set[ColumnRun]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    seen = Watched([], [], set())

    def watch_merge(runs: list[Iterator[pa.Table]], member: str) -> Iterator[pa.Table]:
        seen.merged.append(len(runs))
        return merge_tables(runs, member)

    class WatchedRun(ColumnRun):
        def __init__(self, directory: str, *, parts: Any, **more: Any) -> None:
            parts = list(parts)
            seen.written.append(sum(table.num_rows for _, table in parts))
            seen.opened.add(self)
            super().__init__(directory, parts=parts, **more)

        def close(self) -> None:
            seen.opened.remove(self)
            super().close()

    monkeypatch.setattr(column_sorting, "merge_tables", watch_merge)
    monkeypatch.setattr(column_sorting, "ColumnRun", WatchedRun)
    return seen


@pytest.mark.parametrize(("tables", "missing_bytes", "spills"), [(2, 0, 0), (2, 1, 2), (1, 1, 0)])
def test_what_fits_exactly_is_held(tmp_path: Path, tables: int, missing_bytes: int, spills: int) -> None:
    kept_bytes = sum(compact_table(table_at(number))[1] for number in range(tables))
    sorter = make_sorter(tmp_path, HELD_SHARE * (kept_bytes - missing_bytes))
    for number in range(tables):
        sorter.add(table_at(number))
    assert len(read_sorted(sorter)) == tables * ROWS
    assert sorter.spills == spills


@pytest.mark.parametrize(
    ("budget_bytes", "most"),
    [(1, 2), (2 * OPEN_BYTES, 2), (3 * OPEN_BYTES, 3), (4 * OPEN_BYTES - 1, 3), (1 << 40, MAX_FAN_IN)],
)
def test_no_more_runs_are_merged_at_once_than_the_budget_has_space_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Watched, budget_bytes: int, most: int
) -> None:
    monkeypatch.setattr(column_sorting, "MAX_TABLE_BYTES", 1)
    sorter = make_sorter(tmp_path, budget_bytes)
    for number in range(most + 1):
        sorter.add(table_at(number).slice(0, 1))
    assert read_sorted(sorter) == [(0, number * ROWS) for number in range(most + 1)]
    assert max(watched.merged) == most


@pytest.mark.parametrize(("tables", "rewritten"), [(1, 0), (2, 2), (3, 2), (4, 8), (5, 8), (6, 10), (7, 13), (8, 24)])
def test_a_row_is_written_again_once_a_level_and_no_run_stays_open(
    tmp_path: Path, watched: Watched, tables: int, rewritten: int
) -> None:
    held_bytes = compact_table(table_at(0))[1]
    sorter = make_sorter(tmp_path, HELD_SHARE * held_bytes)
    for number in range(tables):
        sorter.add(table_at(number))
    spills = 0 if tables == 1 else tables
    assert read_sorted(sorter) == sorted(tuple(row.values()) for n in range(tables) for row in table_at(n).to_pylist())
    assert sorter.spills == spills
    assert sum(watched.written) == ROWS * (spills + rewritten)
    assert not watched.opened


@pytest.mark.parametrize("budget_bytes", [1, 1 << 40], ids=["spilled", "held"])
def test_every_bucket_has_the_common_types_of_all_tables_taken(tmp_path: Path, budget_bytes: int) -> None:
    sorter = make_sorter(tmp_path, budget_bytes, buckets=3)
    for key, values in enumerate(([1], [0.5], [None])):
        sorter.add(pa.table({"key": [key], "value": values}))
    found = [(bucket, *table.schema.types, table.num_rows) for bucket, table in sorter.tables()]
    assert found == [(bucket, pa.int64(), pa.float64(), 1) for bucket in range(3)]
