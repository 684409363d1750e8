"""Inputs for which people reported faults of other programs, each with its right outcome: whole tasks of small jobs."""

import datetime as dt
import io
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Condition, InputOptions
from podreduce.inputs import infer_columns
from tests.support.task_runs import TaskRun

MARK = b"\xef\xbb\xbf"
KEEP = "class Keep:\n    def map_func(self, key, value):\n        yield key, value\n"


def make_run(data: bytes, input_format: str, options: Mapping[str, Any], source: str = KEEP, **changes: Any) -> TaskRun:
    """A map-only run over one object, written as JSON lines."""
    plan_changes = {
        "input_format": input_format,
        "input_options": InputOptions(**options),
        "output_format": "JSONLines",
        **changes,
    }
    return TaskRun(source=source, objects={"a": data}, partitions=0, plan_changes=plan_changes)


def records_of(run: TaskRun) -> list[Any]:
    """What the job writes."""
    part = run.map(0).part
    assert part
    return [json.loads(line) for line in run.output.get(part.key).split(b"\n") if line]


def values_of(run: TaskRun) -> list[Any]:
    return [record["value"] for record in records_of(run)]


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "first", [b'{"id":1}\n', b'{"id":2,"error":"disk"}\n', b"{}\n"], ids=["late", "early", "empty"]
)
def test_json_fields_after_the_first_line(first: bytes) -> None:
    data = first + b'{"id":3,"error":"disk"}\n'
    source = "class Keep:\n    def map_batch(self, batch):\n        return batch.select(['id', 'error'])\n"
    run = make_run(data, "JSONLines", {"schema": infer_columns(data.split(b"\n"))}, source)
    lines = [json.loads(line) for line in data.split(b"\n") if line]
    assert records_of(run) == [{"id": line.get("id"), "error": line.get("error")} for line in lines]


@pytest.mark.parametrize("header", [False, True])
def test_csv_multiline_with_line_separators(*, header: bool) -> None:
    texts = ["one\u2028two", "x\x0cy\x0bz", "z\x85w", "a\x1cb\x1dc\x1ed\u2029e", "two\nlines"]
    rows = [[str(number), text] for number, text in enumerate(texts)]
    data = b"id,text\n" * header + "".join(f'{number},"{text}"\r\n' for number, text in rows).encode()
    found = values_of(make_run(data, "CSV", {"csv_header": header, "csv_multiline": True}))
    assert found == ([dict(zip(("id", "text"), row, strict=True)) for row in rows] if header else rows)


@pytest.mark.parametrize(
    ("data", "input_format", "options"),
    [
        (b'"id","name"\n1,Ann\n', "CSV", {}),
        (b'"id","name"\n1,Ann\n', "CSV", {"csv_multiline": True}),
        (b'{"id":"1","name":"Ann"}\n', "JSONLines", {}),
    ],
    ids=["csv", "multiline", "jsonlines"],
)
def test_byte_order_mark(data: bytes, input_format: str, options: dict[str, Any]) -> None:
    assert values_of(make_run(MARK + data, input_format, options)) == [{"id": "1", "name": "Ann"}]


@pytest.mark.parametrize(("numbers", "rows"), [([5.0, 6.0, float("nan")], [2, 3]), ([5.0, 5.0, float("nan")], [3])])
def test_parquet_not_equal_with_nan(numbers: list[float], rows: list[int]) -> None:
    condition = Condition(column="x", operator="NotEqual", value="5")
    data = parquet(n=[1, 2, 3], x=numbers)
    assert [row["n"] for row in values_of(make_run(data, "Parquet", {"filter": (condition,)}))] == rows


TEXTS = """
class Texts:
    def map_func(self, key, value):
        yield key, {name: str(field) for name, field in value.items()}
"""


@pytest.mark.parametrize("bad_records", ["Fail", "Skip"])
def test_parquet_with_nanoseconds(bad_records: str) -> None:
    moments = pa.array([1_700_000_000_123_456_789, 1_700_000_000_123_456_000, None], pa.timestamp("ns"))
    run = make_run(parquet(seen_at=moments), "Parquet", {}, TEXTS, bad_records=bad_records)
    if bad_records == "Fail":
        with pytest.raises(InputError, match=r"a: row 0 cannot be read: .*column seen_at .*input\.columns.*map_batch"):
            run.map(0)
        return
    moment = dt.datetime(2023, 11, 14, 22, 13, 20, 123456)  # noqa: DTZ001 - Parquet's has no zone either
    assert values_of(run) == [{"seen_at": f"{moment}"}, {"seen_at": "None"}]


MIXED = {
    "a string": b'{"id":1,"amount":5}\n{"id":2,"amount":"5"}\n{"id":3,"amount":6}\n',
    "an int over 64 bits": b'{"id":1,"amount":5}\n{"id":2,"amount":12345678901234567890123}\n{"id":3,"amount":6}\n',
}


@pytest.mark.parametrize("data", MIXED.values(), ids=MIXED)
def test_json_with_mixed_types(data: bytes) -> None:
    source = "class Keep:\n    def map_batch(self, batch):\n        return batch\n"
    options = {"schema": infer_columns(data.split(b"\n"))}
    with pytest.raises(InputError, match=r"a: the record at byte 20 has .* in the field amount, .*input\.schema: json"):
        make_run(data, "JSONLines", options, source).map(0)
    skipping = make_run(data, "JSONLines", options, source, bad_records="Skip")
    assert [record["id"] for record in records_of(skipping)] == [1, 3]
    record = skipping.map(0)
    assert record.quarantine
    assert record.quarantine.records == 1


@pytest.mark.parametrize("length", [131_073, 1_000_000])
def test_csv_with_a_long_field(length: int) -> None:
    run = make_run(b"id,text\n1," + b"x" * length, "CSV", {}, bad_records="Skip")
    assert [len(value["text"]) for value in values_of(run)] == [length]


def test_parquet_filter_in_a_category() -> None:
    shops = pa.array(["x", "y", "x", None]).dictionary_encode()
    condition = Condition(column="shop", operator="In", values=("x", "z"))
    found = values_of(make_run(parquet(shop=shops, n=[1, 2, 3, 4]), "Parquet", {"filter": (condition,)}))
    assert found == [{"shop": "x", "n": 1}, {"shop": "x", "n": 3}]
