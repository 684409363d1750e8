"""The columnar tier: its order is the row tiers' order, whatever is spilled, and its aggregates are the builtins'."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from podreduce.columnar import runs as column_runs
from podreduce.columnar import sorting as column_sorting
from podreduce.columnar.columns import bisect_keys, canonical_table
from podreduce.columnar.frames import FRAME_BYTES, clip_columns, pack_columns, unpack_columns, unpack_together
from podreduce.columnar.row_order import sort_rows
from podreduce.columnar.runs import BATCH_ROWS, cut_batches, merge_tables, sort_table
from podreduce.columnar.weights import gather_pieces, weigh_pieces
from podreduce.contract.errors import ProgramError
from podreduce.encoding.blobs import read_footer, read_frames
from podreduce.encoding.heavy_keys import HeavyKeys
from podreduce.encoding.key_hash import HashBuckets, hash_bucket
from podreduce.encoding.key_range import KeyRange
from podreduce.encoding.key_sampler import KeySampler
from podreduce.encoding.keys import encode_key
from podreduce.task.map_batches import ColumnBuffer, tables_of
from podreduce.task.reduce_batches import ColumnInput
from tests.support.blobs import PLENTY

IN_ONE_DIRECTORY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
WIDTH = 10
FIXED = st.binary(min_size=WIDTH, max_size=WIDTH).map(lambda key: b"\0" * 7 + key[7:] if key[0] % 2 else key)
COLUMNS = {
    "fixed": (pa.binary(WIDTH), FIXED),
    "short": (pa.binary(3), st.binary(min_size=3, max_size=3)),
    "string": (pa.string(), st.one_of(st.none(), st.text(max_size=12))),
    "large string": (pa.large_string(), st.text(max_size=12)),
    "binary": (pa.binary(), st.one_of(st.none(), st.binary(max_size=12))),
    "int": (pa.int64(), st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))),
    "small int": (pa.int16(), st.integers(-5, 5)),
    "float": (pa.float64(), st.one_of(st.none(), st.floats(allow_nan=False))),
    "bool": (pa.bool_(), st.one_of(st.none(), st.booleans())),
}


def table_of(keys: list[Any], kind: pa.DataType) -> pa.Table:
    return canonical_table(pa.table({"key": pa.array(keys, kind), "value": range(len(keys))}), "Job.map_batch")


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_keys_are_sorted_as_their_encodings_and_equal_ones_stay_in_order(name: str, data: st.DataObject) -> None:
    kind, values = COLUMNS[name]
    keys = data.draw(st.lists(values, max_size=30))
    column = table_of(keys, kind).column("key").combine_chunks()
    encoded = [encode_key(key) for key in column.to_pylist()]
    assert sort_rows(column).tolist() == sorted(range(len(encoded)), key=encoded.__getitem__)


@pytest.mark.parametrize("distinct", [2, 300, 60_000])
def test_many_equal_prefixes_are_put_right(distinct: int) -> None:
    random = np.random.default_rng(distinct)
    numbers = random.integers(0, distinct, 5000)
    keys = [
        b"prefix.." + int(number).to_bytes(2, "big") if number % 3 else int(number).to_bytes(10, "big")
        for number in numbers
    ]
    column = pa.array(keys, pa.binary(WIDTH))
    assert sort_rows(column).tolist() == sorted(range(len(keys)), key=keys.__getitem__)


def make_buffer(*, scratch: Path, budget_bytes: int, buckets: int = 3, total: bool = False) -> ColumnBuffer:
    return ColumnBuffer(
        buckets=1 if total else buckets,
        bucket_of=(lambda _: 0) if total else (lambda key: hash_bucket(key, buckets)),
        sampler=KeySampler() if total else None,
        budget_bytes=budget_bytes,
        scratch_directory=str(scratch),
        member="Job.map_batch",
    )


def run_columns(
    batches: list[pa.Table], *, scratch: Path, budget_bytes: int, buckets: int = 3, total: bool = False
) -> tuple[list[tuple[Any, Any]], int, int]:
    """All rows, as a reduce gets them, after a map and a shuffle; how often each side spilled."""
    buffer = make_buffer(scratch=scratch, budget_bytes=budget_bytes, buckets=buckets, total=total)
    for table in batches:
        buffer.add(table)
    written = bytearray()
    summary = buffer.finish(written.extend)
    footer = read_footer(bytes(written)[summary.footer_offset :], crc32=summary.footer_crc32)
    taken = ColumnInput(budget_bytes=budget_bytes, scratch_directory=str(scratch), member="Job.map_batch")
    fetch = lambda start, end: bytes(written[start:end])  # noqa: E731 - one of its kind
    for bucket in range(1 if total else buckets):
        taken.add_blob(read_frames(footer, [bucket], fetch))
    rows = [(row["key"], row["value"]) for batch in taken.batches() for row in batch.to_pylist()]
    return rows, buffer.spills, taken.spills


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), max_size=30), min_size=1, max_size=6),
    st.sampled_from([1, 600, PLENTY]),
    st.booleans(),
)
@example([["a"] * 30, ["a"] * 30], 1, False)  # noqa: FBT003 - by position, as given
@IN_ONE_DIRECTORY
def test_spills_never_change_rows_or_their_order(
    tmp_path: Path, batches: list[list[str]], budget_bytes: int, total: bool
) -> None:
    numbered = [(key, (at, place)) for at, keys in enumerate(batches) for place, key in enumerate(keys)]
    tables = []
    for at, keys in enumerate(batches):
        values = pa.array([f"{at}.{place}" for place in range(len(keys))], pa.string())
        tables.append(canonical_table(pa.table({"key": pa.array(keys, pa.string()), "value": values}), "x"))
    rows, *_ = run_columns(
        [table for table in tables if table.num_rows], scratch=tmp_path, budget_bytes=budget_bytes, total=total
    )
    assert rows == [(key, f"{at}.{place}") for key, (at, place) in sorted(numbered)]


def test_what_does_not_fit_is_spilled(tmp_path: Path) -> None:
    tables = [
        table_of([f"{(n * 7919) % 5000}" for n in range(start, start + 1000)], pa.string())
        for start in range(0, 5000, 1000)
    ]
    rows, map_spills, reduce_spills = run_columns(tables, scratch=tmp_path, budget_bytes=60_000)
    assert [key for key, _ in rows] == sorted(str(n) for n in range(5000))
    assert map_spills > 1
    assert reduce_spills > 1


MERGED = st.lists(st.lists(st.integers(0, 12).map(lambda n: f"{n:02}"), max_size=40), min_size=2, max_size=5)


def in_tables(rows: list[tuple[str, int]], cut: int) -> Iterator[pa.Table]:
    """Sorted rows in tables of `cut`."""
    for start in range(0, len(rows), cut):
        keys, values = zip(*rows[start : start + cut], strict=True)
        yield pa.table({"key": pa.array(keys, pa.string()), "value": pa.array(values, pa.int64())})


@given(MERGED, st.integers(1, 9))
@example([["a"] * 9, ["a"] * 5, ["b"]], 2)
@example([["a", "b", "b"], ["b", "b", "c"]], 1)
def test_runs_of_several_tables_are_merged_in_the_order_of_keys_then_runs(runs: list[list[str]], cut: int) -> None:
    sorted_runs = [sorted((key, 100 * at + place) for place, key in enumerate(keys)) for at, keys in enumerate(runs)]
    merged = merge_tables([in_tables(rows, cut) for rows in sorted_runs], "x")
    found = [(row["key"], row["value"]) for table in merged for row in table.to_pylist()]
    expected = sorted((row for rows in sorted_runs for row in rows), key=itemgetter(0))
    assert found == expected


@pytest.mark.parametrize("total", [False, True])
def test_runs_of_many_frames_are_merged_on_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: bool
) -> None:
    monkeypatch.setattr(column_runs, "FRAME_BYTES", 300)
    keys = [[f"{n * 7919 % 1000 // 3}" for n in range(start, start + 250)] for start in range(0, 1000, 250)]
    tables = [table_of(each, pa.string()).set_column(1, "value", [range(at, 1000, 4)]) for at, each in enumerate(keys)]
    rows, map_spills, reduce_spills = run_columns(tables, scratch=tmp_path, budget_bytes=9000, total=total)
    expected = [
        (key, value) for at, each in enumerate(keys) for key, value in zip(each, range(at, 1000, 4), strict=True)
    ]
    assert rows == sorted(expected, key=itemgetter(0))
    assert min(map_spills, reduce_spills) > 1


@given(st.lists(st.lists(st.sampled_from([1, 2**60 + 1, 0.5, None, "a"]), min_size=1, max_size=3), max_size=4))
@example([[1], ["a"]])
@example([[2**60 + 1], [0.5]])
@IN_ONE_DIRECTORY
def test_tables_of_other_types_go_together_or_are_refused_wherever_they_are_spilled(
    tmp_path: Path, columns: list[list[Any]]
) -> None:
    def outcome(budget_bytes: int) -> Any:
        try:
            tables = [pa.table({"key": ["k"] * len(values), "value": values}) for values in columns]
            rows, *_ = run_columns(tables, scratch=tmp_path, budget_bytes=budget_bytes)
        except ProgramError as error:
            return str(error).partition(" returned batches whose columns do not match")[0]
        return [(key, value, type(value)) for key, value in rows]

    columns = [values for values in columns if len({*map(type, values)} - {type(None)}) < 2]
    assert outcome(1) == outcome(PLENTY)


def test_no_more_is_put_together_than_a_column_of_strings_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def watch(table: pa.Table, *arguments: Any) -> Any:
        seen.append(table.nbytes)
        return sort_table(table, *arguments)

    monkeypatch.setattr(column_sorting, "MAX_TABLE_BYTES", 4000)
    monkeypatch.setattr(column_sorting, "sort_table", watch)
    text = pa.array(["x" * 100] * 20, pa.large_string())
    tables = [pa.table({"key": ["k"] * 20, "value": text})] * 5
    tables.append(pa.table({"key": pa.chunked_array([["k"] * 20] * 9), "value": pa.chunked_array([text] * 9)}))
    rows, spills, _ = run_columns(tables, scratch=tmp_path, budget_bytes=PLENTY)
    assert len(rows) == 280
    assert spills > 4
    assert max(seen) <= 4000


ENCODINGS: dict[str, tuple[pa.DataType, Callable[[pa.Array], pa.Array]]] = {
    "string view": (pa.string(), lambda column: column.cast(pa.string_view())),
    "binary view": (pa.binary(), lambda column: column.cast(pa.binary_view())),
    "dictionary": (pa.string(), pc.dictionary_encode),
    "runs": (pa.string(), pc.run_end_encode),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_views_dictionaries_and_runs_are_keys_and_values_as_plain_ones_are(tmp_path: Path, name: str) -> None:
    plain, encode = ENCODINGS[name]
    column = encode(pa.array(["b", "a", None], plain))
    rows, *_ = run_columns(
        [canonical_table(pa.table({"key": column, "value": column}), "x")], scratch=tmp_path, budget_bytes=1
    )
    assert rows == [(key, key) for key in pa.array([None, "a", "b"], plain).to_pylist()]


def test_a_column_that_cannot_be_put_in_order_is_refused_by_name() -> None:
    table = pa.table({"key": [1], "parts": pa.array([["a"]], pa.list_(pa.string_view()))})
    with pytest.raises(ProgramError, match=r"the column parts of type list<item: string_view>.*: cast it"):
        canonical_table(table, "Job.map_batch")


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2000)), max_size=20), max_size=4),
    st.sampled_from([1, PLENTY]),
)
@IN_ONE_DIRECTORY
def test_the_heaviest_keys_of_batches_are_told(
    tmp_path: Path, batches: list[list[tuple[str, int]]], budget_bytes: int
) -> None:
    buffer = make_buffer(scratch=tmp_path, budget_bytes=budget_bytes, buckets=2)
    weights, counts = Counter[str](), Counter[str]()
    for batch in filter(None, batches):
        keys, sizes = zip(*batch, strict=True)
        buffer.add(canonical_table(pa.table({"key": keys, "value": ["x" * size for size in sizes]}), "x"))
        counts.update(keys)
        for key, size in batch:
            weights[key] += size + 1
    buffer.finish(lambda _: None)
    found = {each.key: each for each in buffer.heavy_keys.heaviest()}
    total = buffer.heavy_keys.encoded_bytes
    assert total == pytest.approx(weights.total(), abs=2 * len(weights))
    for key, weight in weights.items():
        if weight > total * 0.002:
            assert (found[key].values, found[key].bucket) == (counts[key], hash_bucket(encode_key(key), 2))
            assert found[key].size_bytes == pytest.approx(weight, abs=2)


def test_of_many_keys_only_the_heaviest_are_told() -> None:
    keys = sorted([f"{n:05}" for n in range(20_000)] + ["heavy"] * 5000)
    heavy_keys = HeavyKeys()
    weigh_pieces(heavy_keys, [(0, pa.table({"key": keys, "value": range(25_000)}))])
    assert [(each.key, each.values) for each in heavy_keys.heaviest()] == [("heavy", 5000)]


PIECES = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 40), min_size=1, max_size=30)), max_size=6)


@given(PIECES)
@example([(0, [7]), (0, [7]), (1, [7])])
def test_pieces_weighed_together_weigh_what_each_does_by_itself(pieces: list[tuple[int, list[int]]]) -> None:
    tables = [(bucket, pa.table({"key": [f"{n:0{n}}" for n in sorted(keys)]})) for bucket, keys in sorted(pieces)]
    together, one_by_one = HeavyKeys(), HeavyKeys()
    for gathered in gather_pieces(iter(tables)):
        weigh_pieces(together, gathered)
    for piece in tables:
        weigh_pieces(one_by_one, [piece])
    assert together.heaviest() == one_by_one.heaviest()
    assert together.encoded_bytes == one_by_one.encoded_bytes


@pytest.mark.parametrize("rows", [1, FRAME_BYTES // 64, FRAME_BYTES // 8])
def test_pieces_are_gathered_in_order_and_no_further_than_needed(rows: int) -> None:
    pieces = [(bucket, pa.table({"key": np.full(rows, bucket)})) for bucket in range(40)]
    gathered = list(gather_pieces(iter(pieces)))
    assert [piece for some in gathered for piece in some] == pieces
    assert len(gathered) == {1: 1, FRAME_BYTES // 64: 5, FRAME_BYTES // 8: 40}[rows]


def test_a_table_sorted_into_buckets_is_copied_once() -> None:
    table = pa.table({"key": np.arange(1000)[::-1].copy(), "value": np.arange(1000)})
    parts = [part for _, part in sort_table(table, 16, HashBuckets(16))]
    assert len(parts) == 16
    assert len({part.column(1).chunk(0).buffers()[1].address for part in parts}) == 1


def rows_of(tables: list[pa.Table]) -> list[Any]:
    return [row for table in tables for row in table.to_pylist()]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=12))
def test_small_frames_come_as_few_tables_of_the_same_rows(frames: list[tuple[bool, int]]) -> None:
    kinds = {True: pa.int64(), False: pa.string()}
    tables = [pa.table({"key": pa.array(range(rows)).cast(kinds[is_int])}) for is_int, rows in frames]
    found = list(unpack_together(pack_columns(0, table) for table in tables))
    assert rows_of(found) == rows_of(tables)
    assert len(found) == len(list(itertools.groupby(is_int for is_int, _ in frames)))


def test_large_frames_stay_apart() -> None:
    large = pack_columns(0, pa.table({"key": np.random.default_rng(1).random(FRAME_BYTES // 16)}))
    assert [table.num_rows for table in unpack_together([large] * 3)] == [FRAME_BYTES // 16] * 3


@pytest.mark.parametrize(
    "rows", [0, 1, BATCH_ROWS, 2 * BATCH_ROWS - 1, 2 * BATCH_ROWS, 2 * BATCH_ROWS + 1, 5 * BATCH_ROWS]
)
def test_batches_end_where_a_key_does(rows: int) -> None:
    table = pa.table({"key": np.arange(rows) // 1000, "value": np.arange(rows)})
    batches = list(cut_batches(iter([table] if rows else []), "x"))
    assert sum(batch.num_rows for batch in batches) == rows
    keys = [set(batch.column(0).to_pylist()) for batch in batches]
    assert all(not (one & other) for one, other in itertools.pairwise(keys))


@pytest.mark.parametrize(("value_bytes", "most"), [(1000, 16_777), (100_000, 167), (20 << 20, 1)])
def test_batches_of_large_values_have_fewer_rows(value_bytes: int, most: int) -> None:
    values = pa.array([bytes(value_bytes)] * (3 * most), pa.binary())
    batches = list(cut_batches(iter([pa.table({"key": range(3 * most), "value": values})]), "x"))
    assert [key for batch in batches for key in batch.column(0).to_pylist()] == list(range(3 * most))
    assert max(batch.num_rows for batch in batches) <= most


def test_a_key_larger_than_a_batch_comes_in_several() -> None:
    batches = list(
        cut_batches(iter([pa.table({"key": ["k"] * (3 * BATCH_ROWS), "value": range(3 * BATCH_ROWS)})]), "x")
    )
    assert len(batches) >= 2
    assert [row for batch in batches for row in batch.column(1).to_pylist()] == list(range(3 * BATCH_ROWS))


@given(st.lists(st.integers(-3, 12), max_size=12), st.integers(-4, 13), st.one_of(st.none(), st.integers(-4, 13)))
def test_a_frame_is_clipped_to_a_range_of_keys(keys: list[int], low: int, high: int | None) -> None:
    keys = sorted(keys)
    stored = pack_columns(0, pa.table({"key": pa.array(keys, pa.int64()), "value": keys}))
    key_range = KeyRange(low=encode_key(low), high=None if high is None else encode_key(high))
    clipped = clip_columns(stored, key_range)
    found = unpack_columns(clipped).column(0).to_pylist() if clipped else []
    assert found == [key for key in keys if low <= key and (high is None or key < high)]


@given(st.lists(st.text(max_size=3), max_size=9), st.text(max_size=3))
def test_bisecting_finds_the_first_that_is_not_less(keys: list[str], key: str) -> None:
    keys = sorted(keys)
    found = bisect_keys(pa.array(keys, pa.string()), encode_key(key))
    assert found == sum(each < key for each in keys)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"value": [1]}), "name one of them key"),
        (pa.table({"key": [1.5, float("nan")]}), "NaN among its keys"),
        (pa.table({"key": pa.array([2**64 - 1], pa.uint64())}), "that do not fit int64"),
        (pa.table({"key": [[1]]}), "keys of type list"),
    ],
    ids=["no key", "nan", "unsigned", "list"],
)
def test_keys_that_cannot_be_shuffled_are_refused(table: pa.Table, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        canonical_table(table, "Job.map_batch")


def test_keys_of_like_types_are_one() -> None:
    columns = [pa.array([1], pa.int8()), pa.array([1], pa.uint32()), pa.array([1], pa.int64()).dictionary_encode()]
    tables = [canonical_table(pa.table({"key": column}), "x") for column in columns]
    assert {table.schema.field("key").type for table in tables} == {pa.int64()}


def test_what_a_program_returns_may_be_batches_tables_or_several() -> None:
    batch = pa.record_batch({"key": [1]})
    table = pa.Table.from_batches([batch])
    for returned, number in ((None, 0), (batch, 1), (table, 1), ([batch, table], 2), (iter([batch]), 1)):
        assert [found.num_rows for found in tables_of(returned, "x")] == [1] * number
    with pytest.raises(ProgramError, match=r"x returned dict .*: return a pyarrow.RecordBatch"):
        list(tables_of({"key": [1]}, "x"))
