"""Records of every kind, each with all of its fields set, as files below `tests/golden/<release>/`.

Rule: the files of a release are written once, at that release (`python -m tests.support.golden_records`), and never
again: what lies in people's buckets does not change either.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from podreduce.contract.attempts import AttemptBatch
from podreduce.contract.plan import Plan, ShardPage
from podreduce.contract.post_mortem import PostMortem
from podreduce.contract.progress import ProgressReport
from podreduce.contract.task import (
    BadRecord,
    CommitIntent,
    CommitRecord,
    FailureRecord,
    OutputManifest,
    ShuffleManifest,
    TaskOutcome,
)
from podreduce.contract.wire import Wire, encode
from podreduce_operator.runs.output_claim import Claim

__all__ = ["GOLDEN", "RECORDS", "fill"]

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDS: dict[str, type[Wire]] = {
    "attempts": AttemptBatch,
    "bad-record": BadRecord,
    "claim": Claim,
    "commit": CommitRecord,
    "commit-intent": CommitIntent,
    "failure": FailureRecord,
    "output-manifest": OutputManifest,
    "outcome": TaskOutcome,
    "plan": Plan,
    "post-mortem": PostMortem,
    "progress": ProgressReport,
    "shard-page": ShardPage,
    "shuffle": ShuffleManifest,
}
"""By the name of its file, what lies in a store, or goes from a task to the operator."""

PLAIN = {
    inspect.StrType: "text",
    inspect.IntType: 7,
    inspect.FloatType: 1.5,
    inspect.BoolType: True,
    inspect.BytesType: "AAH/",
    inspect.DateTimeType: "2026-11-29T02:00:00Z",
    inspect.AnyType: {"any": ["thing", 1, None]},
}


def fill(kind: inspect.Type) -> Any:
    """Return JSON of that type in which nothing is left out, and nothing has its default."""
    match kind:
        case inspect.StructType():
            values = {field.encode_name: False if field.default is True else fill(field.type) for field in kind.fields}
            if "schema" in values:
                values["schema"] = next(field.default for field in kind.fields if field.name == "schema")
            return list(values.values()) if kind.array_like else values
        case inspect.UnionType():
            return fill(next(each for each in kind.types if not isinstance(each, inspect.NoneType)))
        case inspect.VarTupleType() | inspect.ListType():
            return [fill(kind.item_type)]
        case inspect.DictType():
            return {fill(kind.key_type): fill(kind.value_type)}
        case inspect.EnumType():
            return list(kind.cls)[-1].value
    return PLAIN[type(kind)]


def write(folder: Path) -> None:
    """Write a record of each kind."""
    folder.mkdir(parents=True)
    for name, kind in RECORDS.items():
        record = msgspec.convert(fill(inspect.type_info(kind)), kind, strict=False)
        (folder / f"{name}.json").write_bytes(encode(record) + b"\n")


if __name__ == "__main__":
    write(GOLDEN / sys.argv[1])
