"""Draws a job's program: the same work written for each tier, and as a plain class for the oracle.

A program reads `k` and `v` of each record (`map_func` row by row, or `map_batch` batch by batch) and reduces the values
of each key in one of the ways that the runtime treats differently.
"""

import random
from dataclasses import dataclass, replace

from tests.metamorphic.data import Shape

__all__ = ["BATCH_REDUCES", "REDUCES", "Program", "draw_program"]

DEFAULTS = {"int": "0", "float": "0.25", "str": "''"}
ARROW_TYPES = {"int": "pa.int64()", "float": "pa.float64()", "str": "pa.string()", "bytes": "pa.binary()"}

WRITTEN = {
    "sum": "total = 0\n        for value in values:\n            total = total + value\n        yield key, total",
    "min": "least = None\n        for value in values:\n            least = value if least is None or value < least "
    "else least\n        yield key, least",
    "max": "most = None\n        for value in values:\n            most = value if most is None or value > most "
    "else most\n        yield key, most",
    "count": "count = 0\n        for _ in values:\n            count += 1\n        yield key, count",
}
COMBINED = {
    "sum": WRITTEN["sum"],
    "min": "least = next(values)\n        for value in values:\n            least = value if value < least else least\n"
    "        yield key, least",
    "max": "most = next(values)\n        for value in values:\n            most = value if value > most else most\n"
    "        yield key, most",
}
"""Reduces that refuse a null wherever their combiners (`IDIOMS`) do: a combiner may run never, so both must agree."""
IDIOMS = {"sum": "sum(values)", "min": "min(values)", "max": "max(values)", "count": "len(list(values))"}

REDUCE = "    def reduce_func(self, key, values):\n        {}\n"
COMBINE = "    def combine_func(self, key, values):\n        {}\n"
EACH = "for value in values:\n            yield key, value"

REDUCES: dict[str, str] = {
    **{f"declared {name}": f"    combiner = {name!r}\n" for name in WRITTEN},
    **{f"recognised {name}": REDUCE.format(f"yield key, {idiom}") for name, idiom in IDIOMS.items()},
    **{
        f"generic {name}": "    combiner = None\n" + REDUCE.format(f"yield key, {idiom}")
        for name, idiom in IDIOMS.items()
    },
    **{f"written {name}": REDUCE.format(body) for name, body in WRITTEN.items()},
    **{
        f"combined {name}": COMBINE.format(f"yield key, {IDIOMS[name]}") + REDUCE.format(body)
        for name, body in COMBINED.items()
    },
    "largest": "    combiner = 'largest:2'\n",
    "smallest, gathered": "    combiner = 'smallest:3'\n" + REDUCE.format("yield key, list(values)"),
    "gathered": REDUCE.format("yield key, list(values)"),
    "gathered, combined to themselves": COMBINE.format(EACH) + REDUCE.format("yield key, list(values)"),
    "each": REDUCE.format(EACH),
    "first only": REDUCE.format("yield key, next(iter(values))"),
    "counted by value": REDUCE.format(
        "counts = {}\n        for value in values:\n            counts[value] = counts.get(value, 0) + 1\n"
        "        for value, count in counts.items():\n            yield key, (value, count)"
    ),
    "placed by the program": "    def partition_func(self, key, partitions):\n"
    "        return len(str(key)) % partitions\n" + REDUCE.format(WRITTEN["count"]),
    "map-only": "",
}
KEYS = {"plain": "{}", "tuple": "({}, 1)", "float": "float(len(str({})))"}
BATCH_REDUCES = {
    "batches": "    def reduce_batch(self, batch):\n        return batch\n",
    "batches, combined to themselves": "    def reduce_batch(self, batch):\n        return batch\n\n"
    "    combine_batch = reduce_batch\n",
}
SORTED_REDUCE = REDUCE.format("for value in values:\n            yield key[0], value")
SORTED_BATCHES = (
    "    key_columns = ('key', 'rank')\n"
    "    def reduce_batch(self, batch):\n        return batch.select(['key', 'value'])\n"
)
RANK = "len(str({})) % 3"
"""By what the values of a key are sorted, in programs that sort them."""

AS_THEY_COME = "import pyarrow as pa\nclass Job:\n    def map_batch(self, batch):\n        yield batch\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program.

    Attributes:
        map: how the map is written: `fused`, `returned` (so drained), `several`, `columns` or `as they come`.
        reduce: a name of `REDUCES` or `BATCH_REDUCES`, or `sorted`: by a second part of the key, of which the first
            chooses the partition.
        source: what the job runs; `plain` is the same as a class of rows.
        key_kind: what is done with `k`: `plain`, `tuple` or `float`.
        value_kind: of the values that are reduced: `int`, `float`, `str` or `bytes`.
    """

    map: str
    reduce: str
    source: str
    plain: str
    key_kind: str
    value_kind: str

    @property
    def is_columnar(self) -> bool:
        """Whether it maps batches."""
        return self.map in ("columns", "as they come")


def draw_program(chance: random.Random, shape: Shape) -> Program:
    """Draw a program for records of that shape."""
    if shape.format in ("JSONLines", "CSV", "Parquet") and chance.random() < 0.06:
        plain = "class Job:\n    def map_func(self, key, value):\n        yield None, value\n"
        return Program(
            map="as they come", reduce="map-only", source=AS_THEY_COME, plain=plain, key_kind="plain", value_kind="row"
        )
    how = chance.choice(("fused", "returned", "several", "columns", "columns"))
    reading = read_record(chance, shape)
    key_kind = chance.choice(("plain", "plain", "tuple", "float")) if how != "columns" else "plain"
    plain_key = reading.key
    reading = replace(reading, key=KEYS[key_kind].format(reading.key))
    reduce = draw_reduce(chance, how, reading.kind)
    if reduce == "sorted":
        return draw_sorted(how, shape, replace(reading, key=reading.key if key_kind == "plain" else plain_key))
    row_reduce = REDUCES["each" if reduce in BATCH_REDUCES else reduce]
    if how == "columns":
        members = BATCH_REDUCES.get(reduce, row_reduce)
        source = f"import pyarrow as pa\nclass Job:\n{members}{map_columns(shape, reading)}"
    else:
        source = f"class Job:\n{row_reduce}{map_rows(how, reading)}"
    plain = f"class Job:\n{row_reduce}{map_rows('fused', reading)}"
    return Program(map=how, reduce=reduce, source=source, plain=plain, key_kind=key_kind, value_kind=reading.kind)


def draw_sorted(how: str, shape: Shape, reading: "Reading") -> Program:
    """Return a program that gets the values of each key sorted by their rank."""
    ranked = replace(reading, key=f"({reading.key}, {RANK.format(reading.value)})")
    plain = f"class Job:\n{SORTED_REDUCE}{map_rows('fused', ranked)}"
    source = f"class Job:\n{SORTED_REDUCE}{map_rows(how, ranked)}" if how != "columns" else ""
    if how == "columns":
        source = f"import pyarrow as pa\nclass Job:\n{SORTED_BATCHES}{map_columns(shape, reading, is_ranked=True)}"
    return Program(map=how, reduce="sorted", source=source, plain=plain, key_kind="plain", value_kind=reading.kind)


def draw_reduce(chance: random.Random, how: str, kind: str) -> str:
    """Draw how values are reduced: strs and bytes cannot be added."""
    names = [name for name in REDUCES if kind in ("int", "float") or not name.endswith("sum")]
    names += ["sorted"] * 3
    if how == "columns":
        names += [*BATCH_REDUCES] * 2
    return chance.choice(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How `k` and `v` are got from a record: a statement, the two expressions after it, the kinds of their values."""

    statement: str = "pass"
    key: str
    value: str
    key_kind: str = "str"
    kind: str


def read_record(chance: random.Random, shape: Shape) -> Reading:
    """Draw how records of a shape are read."""
    if shape.format in ("FixedLength", "WholeObject"):
        return read_bytes(shape)
    if shape.format == "Parquet":
        return Reading(key="value['k']", value="value['v']", key_kind=shape.key_kind, kind=shape.kind)
    if shape.format == "Pairs":
        return Reading(key="key", value="value", key_kind=shape.key_kind, kind=shape.kind)
    if shape.format == "JSONLines":
        return read_json(shape)
    convert = {"int": "int(float({}))", "float": "float({})", "str": "{}"}[shape.kind]
    if shape.kind == "int" and chance.random() < 0.1:
        convert = "len({})"
    if shape.format == "CSV" and shape.header:
        return Reading(key="value['k']", value=convert.format("value['v']"), kind=shape.kind)
    fields = "fields" if shape.format == "Text" else "value"
    given = f"len({fields}) > 1 and {fields}[1] is not None"
    return Reading(
        statement="fields = value.split('|')" if shape.format == "Text" else "pass",
        key=f"{fields}[0]",
        value=f"{convert.format(f'{fields}[1]')} if {given} else {DEFAULTS[shape.kind]}",
        kind=shape.kind,
    )


def read_bytes(shape: Shape) -> Reading:
    """Return how records are read whose values are bytes."""
    is_int, is_fixed = shape.kind == "int", shape.format == "FixedLength"
    number = "int.from_bytes(value, 'big')" if is_fixed else "len(value)"
    return Reading(
        key="key" if is_fixed else "key.rpartition('/')[2]",
        value=number if is_int else "value",
        key_kind="bytes" if is_fixed else "str",
        kind="int" if is_int else "bytes",
    )


def read_json(shape: Shape) -> Reading:
    """Return how objects are read, whose fields may be missing; nulls stay what they are."""
    key, value = "value.get('k')", "value.get('v')"
    if not shape.nulls:
        key = f"{'-1' if shape.key_kind == 'int' else repr('none')} if {key} is None else {key}"
        value = f"{DEFAULTS[shape.kind]} if {value} is None else {value}"
    return Reading(key=key, value=value, key_kind=shape.key_kind, kind=shape.kind)


def map_rows(how: str, reading: Reading) -> str:
    """Return a `map_func`."""
    statement, key, value = reading.statement, reading.key, reading.value
    body = {
        "fused": f"        {statement}\n        yield {key}, {value}\n",
        "returned": f"        {statement}\n        return [({key}, {value})]\n",
        "several": f"        {statement}\n        if True:\n            for item in [{value}]:\n"
        f"                yield {key}, item\n",
    }[how]
    return f"    def map_func(self, key, value):\n{body}"


def map_columns(shape: Shape, reading: Reading, *, is_ranked: bool = False) -> str:
    """Return a `map_batch` that does the same; `is_ranked`: with the rank as a second key column."""
    rows = "[(None, row) for row in batch.to_pylist()]"
    if shape.format == "CSV" and not shape.header:
        rows = "[(None, list(row.values())) for row in batch.to_pylist()]"
    if shape.format in ("Text", "FixedLength", "WholeObject", "Pairs"):
        rows = "zip(batch['key'].to_pylist(), batch['value'].to_pylist())"
    key_type, value_type = ARROW_TYPES[reading.key_kind], ARROW_TYPES[reading.kind]
    rank = f'"rank": pa.array([{RANK.format("item")} for item in found], pa.int8()), ' if is_ranked else ""
    return f"""    def map_batch(self, batch):
        keys, found = [], []
        for key, value in {rows}:
            {reading.statement}
            keys.append({reading.key})
            found.append({reading.value})
        return pa.table({{{rank}"key": pa.array(keys, {key_type}), "value": pa.array(found, {value_type})}})
"""
