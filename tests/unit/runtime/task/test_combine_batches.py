"""Map tasks with a `combine_batch`: the same output, fewer rows sent, and errors that name the member."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podreduce.columnar import runs as column_runs
from podreduce.columnar.columns import canonical_table, encoded_key
from podreduce.columnar.frames import unpack_columns
from podreduce.columnar.key_columns import KEY
from podreduce.contract.errors import ProgramError
from podreduce.contract.plan import Program
from podreduce.encoding.key_hash import HashBuckets
from podreduce.encoding.key_sampler import KeySampler
from podreduce.program.loading import LoadedProgram, load_program
from podreduce.task.combine_batches import combine_by_batches
from podreduce.task.map_batches import ColumnBuffer, tables_of
from podreduce.task.reduce_batches import ColumnInput
from tests.support.blobs import PLENTY, Blob
from tests.support.task_runs import TaskRun

IN_ONE_DIRECTORY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
MEMBER = "Job.map_batch"
SUM = """
import pyarrow as pa
class Job:
    key_columns = {key_columns}
    def map_batch(self, batch): return batch
    def reduce_batch(self, batch):
        names = list(self.key_columns or ["key"])
        summed = pa.table(batch).group_by(names).aggregate([("value", "sum")])
        return summed.rename_columns([*names, "value"])
    {combiner}
"""
COMBINERS = {
    "the reduce": "combine_batch = reduce_batch",
    "several, out of order": (
        "def combine_batch(self, batch):\n"
        "        summed = self.reduce_batch(batch)\n"
        "        yield summed.slice(1)\n"
        "        yield None\n"
        "        yield summed.slice(0, 1).select(['value', *summed.column_names[:-1]])"
    ),
    "other types": (
        "def combine_batch(self, batch):\n"
        "        summed = self.reduce_batch(batch)\n"
        "        return summed.set_column(len(summed.column_names) - 1, 'value', summed['value'].cast('int32'))"
    ),
    "rows doubled": (
        "def combine_batch(self, batch):\n"
        "        none = pa.array([0] * len(batch))\n"
        "        return [batch, batch.set_column(batch.num_columns - 1, 'value', none)]"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Key columns: their names if there are several, their types, and a strategy for their values in a row."""

    names: tuple[str, ...] = ()
    kinds: tuple[pa.DataType, ...]
    values: st.SearchStrategy[Any]


SMALL = st.integers(-3, 3)
KEYS = {
    "int": Keys(kinds=(pa.int64(),), values=st.tuples(SMALL)),
    "int or null": Keys(kinds=(pa.int64(),), values=st.tuples(st.one_of(st.none(), SMALL))),
    "float": Keys(kinds=(pa.float64(),), values=st.tuples(st.sampled_from([0.0, -0.0, 1.0, -2.5, math.inf, None]))),
    "text": Keys(kinds=(pa.string(),), values=st.tuples(st.sampled_from(["", "a", "ab", "\u00e4", None]))),
    "binary": Keys(kinds=(pa.binary(2),), values=st.tuples(st.sampled_from([b"aa", b"ab", b"b\0"]))),
    "bool": Keys(kinds=(pa.bool_(),), values=st.tuples(st.one_of(st.none(), st.booleans()))),
    "two": Keys(
        names=("user", "time"),
        kinds=(pa.string(), pa.int64()),
        values=st.tuples(st.sampled_from(["a", "b", None]), st.one_of(st.none(), SMALL)),
    ),
}
Rows = list[tuple[tuple[Any, ...], int | None]]


def program_of(keys: Keys, combiner: str = "") -> LoadedProgram:
    source = SUM.format(key_columns=keys.names or None, combiner=combiner)
    return load_program(Program(source=source), name="job")


def table_of(keys: Keys, rows: Rows) -> pa.Table:
    columns = {
        name: pa.array([key[at] for key, _ in rows], kind)
        for at, (name, kind) in enumerate(zip(keys.names or (KEY,), keys.kinds, strict=True))
    }
    return canonical_table(
        pa.table({**columns, "value": pa.array([v for _, v in rows], pa.int64())}), MEMBER, keys.names
    )


def map_shard(
    program: LoadedProgram, tables: Sequence[pa.Table], *, scratch: Path, budget_bytes: int, buckets: int = 3
) -> tuple[ColumnBuffer, Blob]:
    """Pass tables through a map's buffer; return it and its blob."""
    buffer = ColumnBuffer(
        buckets=buckets,
        bucket_of=HashBuckets(buckets),
        sampler=KeySampler() if buckets == 1 else None,
        budget_bytes=budget_bytes,
        scratch_directory=str(scratch),
        member=MEMBER,
        combine=combine_by_batches(program),
    )
    for table in tables:
        buffer.add(table)
    written = bytearray()
    summary = buffer.finish(written.extend)
    return buffer, Blob(data=bytes(written), summary=summary)


def reduce_all(
    program: LoadedProgram, blobs: Sequence[Blob], *, scratch: Path, budget_bytes: int, buckets: int
) -> Counter[Any]:
    """Reduce all buckets, each as a partition; count the rows of the output, which are summed again by key."""
    found: Counter[Any] = Counter()
    for bucket in range(buckets):
        taken = ColumnInput(budget_bytes=budget_bytes, scratch_directory=str(scratch), member=MEMBER)
        for blob in blobs:
            taken.add_blob(blob.frames([bucket]))
        for batch in taken.batches():
            for table in tables_of(program.reduce_batch(batch), "x"):  # type: ignore[misc] # it has one
                for *key, value in zip(*table.to_pydict().values(), strict=True):
                    found[bucket, tuple(key)] += value or 0
    return found


@pytest.mark.parametrize("kind", KEYS)
@given(data=st.data(), combiner=st.sampled_from([*COMBINERS]))
@IN_ONE_DIRECTORY
def test_the_output_is_the_same_with_a_combiner_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, combiner: str, data: st.DataObject
) -> None:
    keys = KEYS[kind]
    rows = st.lists(st.tuples(keys.values, st.one_of(st.none(), st.integers(-1000, 1000))), max_size=25)
    batches = data.draw(st.lists(rows, min_size=1, max_size=6))
    shards = data.draw(st.sampled_from([1, 3, 8]))
    budget_bytes = data.draw(st.sampled_from([1, 12_000, PLENTY]))
    buckets = data.draw(st.sampled_from([1, 3]))
    monkeypatch.setattr(column_runs, "BATCH_ROWS", data.draw(st.sampled_from([1, 3, 1 << 16])))
    tables = [table_of(keys, batch) for batch in batches if batch]
    outputs = []
    for program in (program_of(keys), program_of(keys, COMBINERS[combiner])):
        blobs = []
        for shard in range(shards):
            _, blob = map_shard(
                program, tables[shard::shards], scratch=tmp_path, budget_bytes=budget_bytes, buckets=buckets
            )
            check_order(blob, buckets)
            blobs.append(blob)
        outputs.append(reduce_all(program, blobs, scratch=tmp_path, budget_bytes=budget_bytes, buckets=buckets))
    assert outputs[0] == outputs[1]
    by_hand: Counter[Any] = Counter()
    for key, value in (row for batch in batches for row in batch):
        by_hand[key] += value or 0
    assert Counter({key: value for (_, key), value in outputs[1].items()}) == by_hand


def check_order(blob: Blob, buckets: int) -> None:
    """Compare the keys of each bucket with their own order, and with the keys that belong there."""
    for bucket in range(buckets):
        columns = [unpack_columns(frame).column(0) for frame in blob.frames([bucket])]
        found = [encoded_key(column, row) for column in columns for row in range(len(column))]
        assert found == sorted(found)
        assert {HashBuckets(buckets)(key) for key in found} <= {bucket}


@pytest.mark.parametrize(
    ("budget_bytes", "spills"), [(PLENTY, False), (30_000, True)], ids=["held", "spilled and merged"]
)
def test_each_key_is_sent_once_and_what_combining_did_is_counted(
    tmp_path: Path, budget_bytes: int, spills: bool
) -> None:
    keys = KEYS["int"]
    tables = [table_of(keys, [((n % 20,), n) for n in range(start, start + 200)]) for start in range(0, 2000, 200)]
    buffer, blob = map_shard(
        program_of(keys, COMBINERS["the reduce"]), tables, scratch=tmp_path, budget_bytes=budget_bytes
    )
    sent = [row for frame in blob.frames() for row in unpack_columns(frame).to_pylist()]
    assert (buffer.spills > 0) == spills
    assert sorted(row["key"] for row in sent) == [*range(20)]
    assert sum(row["value"] for row in sent) == sum(range(2000))
    assert buffer.combined_in >= 2000
    assert buffer.combined_in - buffer.combined_out == 2000 - 20
    assert sum(each.values for each in buffer.heavy_keys.heaviest()) <= 20


def test_rows_whose_keys_are_all_distinct_are_not_passed_to_it(tmp_path: Path) -> None:
    keys = KEYS["int"]
    program = program_of(keys, "def combine_batch(self, batch): 1 / 0")
    buffer, *_ = map_shard(program, [table_of(keys, [((n,), n) for n in range(100)])], scratch=tmp_path, budget_bytes=1)
    assert (buffer.combined_in, buffer.combined_out) == (0, 0)


WORDS = """
import pyarrow as pa, pyarrow.compute as pc
class Job:
    def map_batch(self, batch):
        words = pc.split_pattern_regex(batch["value"], " +").flatten()
        yield pa.record_batch({{"key": words, "value": pa.array([1] * len(words))}})
    def reduce_batch(self, batch):
        counted = pa.table(batch).group_by("key").aggregate([("value", "sum")])
        return pa.table({{"key": counted["key"], "value": counted["value_sum"]}}).sort_by("key")
    {}
"""
TEXT = b"the quick brown fox\njumps over the lazy dog\nthe end\n" * 50
THE_REDUCE = "combine_batch = reduce_batch"


@pytest.mark.parametrize("changes", [{}, {"bad_records": "Skip"}, {"order": "Total"}], ids=["plain", "skips", "sorted"])
@pytest.mark.parametrize("shards", [1, 3, 8])
def test_tasks_write_the_same_with_a_combiner_and_without(shards: int, changes: dict[str, Any]) -> None:
    cuts = [len(TEXT) * shard // shards for shard in range(1, shards)]
    runs = [
        TaskRun(source=WORDS.format(combiner), objects={"a": TEXT}, cuts=cuts, plan_changes=changes)
        for combiner in ("", THE_REDUCE)
    ]
    plain, combined = (run.output_lines() for run in runs)
    assert combined == plain
    assert {line.split("\t")[0]: int(line.split("\t")[1]) for line in combined} == Counter(TEXT.decode().split())


def test_the_counters_of_a_map_say_what_was_combined_and_its_reduce_reads_less() -> None:
    run = TaskRun(source=WORDS.format(THE_REDUCE), objects={"a": TEXT}, partitions=1)
    words = TEXT.decode().split()
    record = run.map(0)
    assert record.records_out == len(words)
    counters = record.counters["podreduce"]
    assert (counters["combineInput"], counters["combineOutput"]) == (len(words), len(set(words)))
    (reduced,) = run.reduce_all([record])
    assert reduced.records_in == len(set(words))


@pytest.mark.parametrize("skips", [False, True], ids=["whole", "skipping"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "return batch.set_column(0, 'key', pa.array(['who'] * len(batch)))",
            (
                "Job.combine_batch returned a row with the key 'who', which no row of its batch has: return only keys "
                "that it got, as they are"
            ),
        ),
        (
            "return pa.table({'key': batch['key']})",
            (
                "Job.combine_batch returned the columns key: return those of its batch, which are key, value; "
                "reduce_batch gets combined rows beside others"
            ),
        ),
        (
            "return pa.table({'key': batch['key'], 'value': batch['key']})",
            (
                "Job.combine_batch returned the column value of type string, and its batch had int64: cast it there, "
                "or in map_batch, so that both are the same"
            ),
        ),
        (
            "return {'key': ['a']}",
            "Job.combine_batch returned dict {'key': ['a']}: return a pyarrow.RecordBatch or Table",
        ),
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("yield 1 / 0", "ZeroDivisionError: division by zero"),
    ],
    ids=["foreign key", "missing column", "other type", "no table", "raises", "raises when read"],
)
def test_a_wrong_combiner_is_told_with_its_rows_and_fails_the_attempt(body: str, message: str, skips: bool) -> None:
    combiner = f"def combine_batch(self, batch):\n        {body}"
    changes = {"bad_records": "Skip"} if skips else {}
    run = TaskRun(source=WORDS.format(combiner), objects={"a": b"a the the\n"}, partitions=1, plan_changes=changes)
    with pytest.raises(ProgramError) as caught:
        run.map(0)
    assert str(caught.value) == message
    assert caught.value.record == "a batch of 2 rows from key 'the' on, in combine_batch"


def test_an_error_while_rows_are_spilled_is_also_that_of_the_combiner(tmp_path: Path) -> None:
    program = program_of(KEYS["two"], "def combine_batch(self, batch): return batch.slice(0, len(batch) // 0)")
    table = table_of(KEYS["two"], [(("a", 1), 1), (("a", 1), 2)] * 500)
    with pytest.raises(ProgramError) as caught:
        map_shard(program, [table, table], scratch=tmp_path, budget_bytes=90_000)
    assert caught.value.record == "a batch of 1,000 rows from key ('a', 1) on, in combine_batch"
    assert "len(batch) // 0" in (caught.value.user_traceback or "")
