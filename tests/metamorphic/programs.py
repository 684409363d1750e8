"""Draws a job's program: the same work written for each tier, and as a plain class for the oracle.

A program reads `k` and `v` of each record (`map_func` row by row, or `map_batch` batch by batch) and reduces the values
of each key in one of the ways that the runtime treats differently.
"""

import random
from dataclasses import dataclass

from tests.metamorphic.data import Shape

__all__ = ["REDUCES", "Program", "draw_program"]

ARROW_TYPES = {"int": "pa.int64()", "float": "pa.float64()", "str": "pa.string()", "bytes": "pa.binary()"}

WRITTEN = {
    "sum": "total = 0\n        for value in values:\n            total = total + value\n        yield key, total",
    "min": "least = None\n        for value in values:\n            least = value if least is None or value < least "
    "else least\n        yield key, least",
    "max": "most = None\n        for value in values:\n            most = value if most is None or value > most "
    "else most\n        yield key, most",
    "count": "count = 0\n        for _ in values:\n            count += 1\n        yield key, count",
}
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
        f"combined {name}": COMBINE.format(f"yield key, {IDIOMS[name]}") + REDUCE.format(WRITTEN[name])
        for name in ("sum", "min", "max")
    },
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
BATCH_REDUCE = "    def reduce_batch(self, batch):\n        return batch\n"

AS_THEY_COME = "import pyarrow as pa\nclass Job:\n    def map_batch(self, batch):\n        yield batch\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program.

    Attributes:
        map: how the map is written: `fused`, `returned` (so drained), `several`, `columns` or `as they come`.
        reduce: a name of `REDUCES`, or `batches`.
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
    statement, key, value, kind = expressions(chance, shape)
    key_kind = chance.choice(("plain", "plain", "tuple", "float")) if how != "columns" else "plain"
    key = {"plain": key, "tuple": f"({key}, 1)", "float": f"float(len(str({key})))"}[key_kind]
    reduce = draw_reduce(chance, how, kind)
    row_reduce = REDUCES["each" if reduce == "batches" else reduce]
    plain = f"class Job:\n{row_reduce}{map_rows('fused', statement, key, value)}"
    if how == "columns":
        keys = "bytes" if shape.format == "FixedLength" else shape.key_kind if shape.format != "WholeObject" else "str"
        mapping = map_columns(shape, statement, key, value, keys, kind)
        members = BATCH_REDUCE if reduce == "batches" else row_reduce
        source = f"import pyarrow as pa\nclass Job:\n{members}{mapping}"
    else:
        source = f"class Job:\n{row_reduce}{map_rows(how, statement, key, value)}"
    return Program(map=how, reduce=reduce, source=source, plain=plain, key_kind=key_kind, value_kind=kind)


def draw_reduce(chance: random.Random, how: str, kind: str) -> str:
    """Draw how values are reduced: strs and bytes cannot be added."""
    names = [name for name in REDUCES if kind in ("int", "float") or not name.endswith("sum")]
    if how == "columns":
        names += ["batches"] * 3
    return chance.choice(names)


def expressions(chance: random.Random, shape: Shape) -> tuple[str, str, str, str]:
    """Return a statement, the expressions of a record's `k` and `v` after it, and the kind of `v`."""
    kind, default = shape.kind, {"int": "0", "float": "0.25", "str": "''"}[shape.kind]
    convert = {"int": "int(float({}))", "float": "float({})", "str": "{}"}[kind]
    if shape.format in ("Text", "JSONLines", "CSV") and not shape.nulls and chance.random() < 0.1 and kind == "int":
        convert, default = "len({})", "0"
    match shape.format:
        case "Text":
            value = f"{convert.format('fields[1]')} if len(fields) > 1 else {default}"
            return "fields = value.split('|')", "fields[0]", value, kind
        case "JSONLines":
            value = "value.get('v')"
            if not shape.nulls:
                value = f"{default} if value.get('v') is None else value.get('v')"
            return "pass", missing_key(shape, "value.get('k')"), value, kind
        case "CSV" if shape.header:
            return "pass", "value['k']", convert.format("value['v']"), kind
        case "CSV":
            value = f"{default} if len(value) < 2 or value[1] is None else {convert.format('value[1]')}"
            return "pass", "value[0]", value, kind
        case "Parquet":
            return "pass", "value['k']", "value['v']", kind
        case "FixedLength" if kind == "int":
            return "pass", "key", "int.from_bytes(value, 'big')", "int"
        case "FixedLength":
            return "pass", "key", "value", "bytes"
        case _ if kind == "int":
            return "pass", "key.rpartition('/')[2]", "len(value)", "int"
    return "pass", "key.rpartition('/')[2]", "value", "bytes"


def missing_key(shape: Shape, key: str) -> str:
    """Return the expression of a key that may be missing."""
    return key if shape.nulls else f"{{'str': 'none', 'int': -1}}[{shape.key_kind!r}] if {key} is None else {key}"


def map_rows(how: str, statement: str, key: str, value: str) -> str:
    """Return a `map_func`."""
    body = {
        "fused": f"        {statement}\n        yield {key}, {value}\n",
        "returned": f"        {statement}\n        return [({key}, {value})]\n",
        "several": f"        {statement}\n        if True:\n            for item in [{value}]:\n"
        f"                yield {key}, item\n",
    }[how]
    return f"    def map_func(self, key, value):\n{body}"


def map_columns(shape: Shape, statement: str, key: str, value: str, key_kind: str, kind: str) -> str:
    """Return a `map_batch` that does the same."""
    rows = {
        "JSONLines": "[(None, row) for row in batch.to_pylist()]",
        "CSV": "[(None, row) for row in batch.to_pylist()]",
        "Parquet": "[(None, row) for row in batch.to_pylist()]",
    }.get(shape.format, "zip(batch['key'].to_pylist(), batch['value'].to_pylist())")
    if shape.format == "CSV" and not shape.header:
        rows = "[(None, list(row.values())) for row in batch.to_pylist()]"
    return f"""    def map_batch(self, batch):
        keys, found = [], []
        for key, value in {rows}:
            {statement}
            keys.append({key})
            found.append({value})
        return pa.table({{
            "key": pa.array(keys, {ARROW_TYPES[key_kind]}), "value": pa.array(found, {ARROW_TYPES[kind]})
        }})
"""
