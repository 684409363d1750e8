"""Sorted runs of columns: how large their frames and batches are, what is read of scratch at once, what stays open."""

from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from podreduce.columnar import runs as column_runs
from podreduce.columnar.runs import ColumnRun, cut_batches, merge_tables, sample_keys, sort_table, write_frames
from podreduce.encoding.blobs import BlobWriter
from podreduce.encoding.codec import decode_key
from podreduce.encoding.key_sampler import KeySampler
from podreduce.encoding.keys import encode_key
from podreduce.rows.scratch import ScratchFile

ROW_BYTES = 16


def table_of(keys: Any) -> pa.Table:
    """Rows of `ROW_BYTES`, numbered."""
    keys = np.array(keys, np.int64)
    return pa.table({"key": keys, "value": np.arange(len(keys))})


def never(key: bytes) -> int:
    raise AssertionError(key)


def test_one_bucket_needs_no_key_looked_at() -> None:
    (found,) = sort_table(table_of([2, 1]), 1, never)
    assert (found[0], found[1].column("value").to_pylist()) == (0, [1, 0])


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 25])
def test_a_frame_has_the_rows_that_fill_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(column_runs, "FRAME_BYTES", 10 * ROW_BYTES)
    run = ColumnRun(str(tmp_path), buckets=2, parts=[(1, table_of(range(rows)))])
    expected = [10] * (rows // 10) + [rows % 10] * (rows % 10 > 0)
    assert [table.num_rows for table in run.tables(1)] == expected
    assert [key for table in run.tables(1) for key in table.column("key").to_pylist()] == list(range(rows))
    assert list(run.tables(0)) == []


@pytest.mark.parametrize(
    ("column", "frames"), [(pa.array([bytes(1000)] * 3), [1, 1, 1]), (pa.nulls(3), [3])], ids=["large", "no bytes"]
)
def test_a_row_larger_than_a_frame_has_one_to_itself_and_rows_without_bytes_are_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: pa.Array, frames: list[int]
) -> None:
    monkeypatch.setattr(column_runs, "FRAME_BYTES", 100)
    run = ColumnRun(str(tmp_path), buckets=1, parts=[(0, pa.table({"key": column}))])
    assert [table.num_rows for table in run.tables(0)] == frames


def test_the_keys_of_a_blob_in_total_order_are_sampled() -> None:
    blob = BlobWriter(lambda _: None, buckets=1, sampler=KeySampler())
    write_frames(blob, 0, table_of(range(1000, 1025)))
    keys = [decode_key(sample.key) for sample in blob.finish().key_samples]
    assert keys
    assert set(keys) <= set(range(1000, 1025))


@pytest.mark.parametrize(("rows", "step"), [(1, 1), (64, 1), (640, 10)])
def test_the_sampled_keys_of_a_frame_are_spread_over_it(rows: int, step: int) -> None:
    assert sample_keys(pa.chunked_array([range(rows)])) == [encode_key(key) for key in range(0, rows, step)]


def test_little_of_a_run_is_read_at_once_and_nothing_once_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    fetch = ScratchFile.fetch

    def watch(self: ScratchFile, start: int, end: int) -> bytes:
        sizes.append(end - start)
        return fetch(self, start, end)

    monkeypatch.setattr(ScratchFile, "fetch", watch)
    random = np.random.default_rng(1).integers(2**62, size=500_000)
    run = ColumnRun(str(tmp_path), buckets=1, parts=[(0, table_of(random))])
    assert sum(table.num_rows for table in run.tables(0)) == len(random)
    assert column_runs.READ_BYTES / 2 < max(sizes) <= column_runs.READ_BYTES
    run.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        list(run.tables(0))


def test_runs_without_tables_or_rows_are_merged_away() -> None:
    rows = table_of([1, 1, 2])
    runs: list[list[pa.Table]] = [
        [],
        [rows.slice(0, 0)],
        [rows.slice(0, 0), rows, rows.slice(0, 0)],
        [rows.slice(3), rows.slice(1)],
    ]
    merged = merge_tables([iter(run) for run in runs], "x")
    assert [row["key"] for table in merged for row in table.to_pylist()] == [1, 1, 1, 2, 2]
    assert list(merge_tables([iter(run) for run in runs[:2]], "x")) == []


CUTS: dict[str, tuple[list[int], int, list[int]]] = {
    "less than two batches": ([*range(7)], 1, [7]),
    "two batches": ([*range(8)], 1, [4, 4]),
    "many small tables": ([*range(19)], 1, [4, 4, 4, 7]),
    "one large table": ([*range(19)], 19, [4, 4, 4, 4, 3]),
    "keys of three rows": ([row // 3 for row in range(18)], 1, [3, 3, 3, 3, 6]),
    "a key that ends where a batch does": ([row // 2 for row in range(12)], 12, [4, 4, 4]),
    "a key larger than a batch": ([0] * 10 + [1, 2], 12, [4, 4, 4]),
    "a large key after a small one": ([0] + [1] * 9, 10, [1, 4, 4, 1]),
}


@pytest.mark.parametrize("limit", ["BATCH_ROWS", "BATCH_BYTES"])
@pytest.mark.parametrize(("keys", "step", "sizes"), CUTS.values(), ids=CUTS)
def test_a_batch_is_cut_where_it_is_full_but_not_within_a_key(
    monkeypatch: pytest.MonkeyPatch, keys: list[int], step: int, sizes: list[int], limit: str
) -> None:
    monkeypatch.setattr(column_runs, limit, 4 if limit == "BATCH_ROWS" else 4 * ROW_BYTES)
    whole = table_of(keys)
    batches = list(cut_batches((whole.slice(start, step) for start in range(0, len(keys), step)), "x"))
    ends = list(accumulate(sizes, initial=0))
    assert [batch.column("value").to_pylist() for batch in batches] == [
        list(range(start, end)) for start, end in pairwise(ends)
    ]
    assert list(chain.from_iterable(batch.column("key").to_pylist() for batch in batches)) == keys


def test_rows_without_bytes_are_cut_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_runs, "BATCH_ROWS", 4)
    batches = cut_batches([pa.table({"key": pa.nulls(10)})], "x")
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
