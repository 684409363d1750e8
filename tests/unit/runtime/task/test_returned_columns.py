"""Columns of every type that `map_batch` may return, in every tier: rows come out, or an error says what to do."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from podreduce.contract.errors import PodreduceError, ProgramError
from tests.support.searching import SEED, tries
from tests.support.task_runs import TaskRun

JOBS = tries(14)
"""How many jobs each tier runs, drawn anew for each; with a large number, all there are."""


def columns() -> Iterator[tuple[str, pa.Array]]:
    """Yield columns of three rows, two of them alike, of every type."""
    for kind in (pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()):
        yield str(kind), pa.array([1, 2, 1], pa.float64()).cast(kind)
    yield "nulls", pa.nulls(3)
    yield "bool", pa.array([True, None, True])
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()):
        yield str(kind), pa.array(["a", "b", "a"]).cast(kind)
    yield "fixed binary", pa.array([b"ab", b"cd", b"ab"], pa.binary(2))
    yield "dictionary", pa.array(["a", "b", "a"]).dictionary_encode()
    yield "date32", pa.array([date(2024, 1, 1), None, date(2024, 1, 1)])
    yield "date64", pa.array([date(2024, 1, 1)] * 3, pa.date64())
    for unit in ("s", "ms", "us", "ns"):
        for zone in (None, "UTC", "Europe/Berlin", "+05:30"):
            yield f"timestamp {unit} {zone}", pa.array([datetime(2024, 1, 1)] * 3, pa.timestamp(unit, zone))  # noqa: DTZ001
        yield f"duration {unit}", pa.array([timedelta(1)] * 3, pa.duration(unit))
    yield "nanoseconds", pa.array([1, 2, 1], pa.int64()).cast(pa.timestamp("ns"))
    yield "far timestamp", pa.array([2**60, 2, 1], pa.int64()).cast(pa.timestamp("us"))
    yield "far date", pa.array([2**30, 2, 1], pa.int32()).cast(pa.date32())
    yield "time32", pa.array([1, 2, 1], pa.int32()).cast(pa.time32("s"))
    yield "time64", pa.array([1, 2, 1], pa.int64()).cast(pa.time64("us"))
    yield "time64 ns", pa.array([1, 2, 1], pa.int64()).cast(pa.time64("ns"))
    yield "nanoseconds of a span", pa.array([1, 2, 1], pa.int64()).cast(pa.duration("ns"))
    yield "decimal128", pa.array([Decimal("1.5"), None, Decimal("1.5")], pa.decimal128(5, 2))
    yield "decimal256", pa.array([Decimal("1.5"), None, Decimal("1.5")], pa.decimal256(50, 2))
    yield "list", pa.array([[1], [2, None], [1]])
    yield "large list", pa.array([[1], [2], [1]], pa.large_list(pa.int64()))
    yield "fixed list", pa.array([[1], [2], [1]], pa.list_(pa.int64(), 1))
    yield "struct", pa.array([{"a": 1}, {"a": None}, None])
    yield "map", pa.array([[("a", 1)], [], [("a", 1)]], pa.map_(pa.string(), pa.int64()))
    yield "interval", pa.array([pa.MonthDayNano([1, 2, 3])] * 3)
    yield "run-end", pa.compute.run_end_encode(pa.array([1, 1, 2]))
    yield "uuid", pa.array([bytes(16)] * 3, pa.uuid())
    yield "union", pa.UnionArray.from_sparse(pa.array([0, 0, 0], pa.int8()), [pa.array([1, 2, 1])])
    yield "empty", pa.array([], pa.string())


COLUMNS = dict(columns())
HEAD = """
import pyarrow as pa
from tests.unit.runtime.task.test_returned_columns import COLUMNS
from tests.support.searching import SEED, tries
class Job:
    def map_batch(self, batch):
        key, value = COLUMNS[batch.column("value")[0].as_py()], COLUMNS[batch.column("value")[1].as_py()]
        rows = min(len(key), len(value))
        return pa.table({"key": key[:rows], "value": value[:rows]})
"""
ROWS = "    def reduce_func(self, key, values):\n        for value in values:\n            yield key, value\n"
BATCHES = "    def reduce_batch(self, batch):\n        return batch\n"
FORMATS = ("Text", "JSONLines", "CSV", "FixedLength", "Parquet")
TIERS = {
    **{f"map-only {name}": (HEAD, {"output_format": name}) for name in FORMATS},
    **{f"rows {name}": (HEAD + ROWS, {"output_format": name}) for name in FORMATS},
    **{f"batches {name}": (HEAD + BATCHES, {"output_format": name}) for name in FORMATS},
    **{name: (f'{HEAD}    combiner = "{name}"\n', {}) for name in ("sum", "min", "max", "count")},
    "skipping": (HEAD + ROWS, {"bad_records": "Skip"}),
}


@pytest.mark.parametrize("tier", TIERS)
def test_columns_of_every_type_come_out_or_are_refused_with_what_to_do(tier: str) -> None:
    source, plan = TIERS[tier]
    pairs = [("string", name) for name in COLUMNS] + [(name, "int8") for name in COLUMNS]
    drawn = random.Random(f"{tier} {SEED}").sample(pairs, min(JOBS, len(pairs)))  # noqa: S311 - no secret
    faults = [f"{pair}: {fault}" for pair in drawn if (fault := find_fault(source, plan, pair))]
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults)


def find_fault(source: str, plan: dict[str, Any], pair: tuple[str, str]) -> str:
    """Return what is wrong with the outcome of a job, if anything is."""
    job = TaskRun(source=source, objects={"a": f"{pair[0]}\n{pair[1]}\n".encode()}, partitions=1, plan_changes=plan)
    try:
        records = job.run()
    except ProgramError as error:
        words = ("cast", "return", "yield", "write a reduce_func", "drop")
        return "" if any(word in str(error) for word in words) else f"no remedy: {error}"
    except PodreduceError as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    except Exception as error:  # noqa: BLE001 - what must never be
        return f"{type(error).__name__}: {str(error)[:300]}"
    written = sum(record.part.records for record in records if record.part)
    return "" if written or "empty" in pair or "bad_records" in plan else "the rows are lost"
