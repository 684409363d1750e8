"""Jobs that would hold many times a task's memory: what they read, what they do, and what must come out.

The right answer is folded here record by record, without podreduce; the folds depend on the order of a key's values.
"""

import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

__all__ = [
    "LARGE_BATCHES",
    "LARGE_SHUFFLE",
    "LATEST_RECORDS",
    "MEMORY_CASES",
    "ONE_HEAVY_KEY",
    "SETUP_TABLE",
    "TABLE_ROWS",
    "TOP_TEN",
    "MemoryCase",
]

Answer = dict[str, tuple[int, int | str]]
"""Key → number of values and their fold; of the latest records, time and payload."""

VALUES_PER_LINE: Final = 1000
VALUE_BYTES: Final = 1000
LARGE_KEYS: Final = 1000
LIGHT_KEYS: Final = 100_000
FOLD_FACTOR: Final = 31
FOLD_LIMIT: Final = 2**61

LARGE: Final = f"""\
import random
import zlib

class Large:
    def map_func(self, key, value):
        numbers = random.Random(int(value))
        for _ in range({VALUES_PER_LINE}):
            yield numbers.randrange({LARGE_KEYS}), numbers.randbytes({VALUE_BYTES})

    def reduce_func(self, key, values):
        count = fold = 0
        for value in values:
            count += 1
            fold = zlib.crc32(value, fold)
        yield key, (count, fold)
"""

HEAVY: Final = f"""\
class Heavy:
    def map_func(self, key, value):
        first = int(value) * {VALUES_PER_LINE}
        for number in range(first, first + {VALUES_PER_LINE}):
            yield "heavy" if number % 2 else f"light-{{number % {LIGHT_KEYS}}}", number

    def reduce_func(self, key, values):
        count = fold = 0
        for value in values:
            count += 1
            fold = (fold * {FOLD_FACTOR} + value) % {FOLD_LIMIT}
        yield key, (count, fold)
"""


BATCHES: Final = f"""\
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

class Batches:
    def map_batch(self, batch):
        for line in batch.column("value").to_pylist():
            numbers = np.random.default_rng(int(line))
            keys = numbers.integers(0, {LARGE_KEYS}, {VALUES_PER_LINE})
            values = pa.py_buffer(numbers.bytes({VALUES_PER_LINE * VALUE_BYTES}))
            column = pa.FixedSizeBinaryArray.from_buffers(pa.binary({VALUE_BYTES}), {VALUES_PER_LINE}, [None, values])
            yield pa.record_batch({{"key": keys, "value": column}})

    def reduce_batch(self, batch):
        table = pa.table({{"key": batch["key"], "first": pc.binary_slice(batch["value"], 0, 1)}})
        for key in pc.unique(table["key"]).to_pylist():
            firsts = table.filter(pc.field("key") == key)["first"].to_pylist()
            text = f"[{{len(firsts)}},{{sum(map(ord, firsts))}}]"
            yield pa.record_batch({{"key": [str(key)], "value": [text]}})
"""


LATEST_KEYS: Final = 20_000
PAYLOAD_COPIES: Final = 500
TIMES: Final = 1_000_003
"""A prime, so that each record has a time of its own."""

LATEST: Final = f"""\
class Latest:
    def map_func(self, key, value):
        first = int(value) * {VALUES_PER_LINE}
        for number in range(first, first + {VALUES_PER_LINE}):
            yield number % {LATEST_KEYS}, (number * 7919 % {TIMES}, f"{{number:010}}" * {PAYLOAD_COPIES})

    def reduce_func(self, key, values):
        yield key, max(values)
"""

TABLE_ROWS: Final = 100_000

LOADED: Final = f"""\
{LARGE}
    def setup(self, context):
        self.table = [random.randbytes({VALUE_BYTES}) for _ in range({TABLE_ROWS})]
"""

TOP: Final = 10
TOP_ROWS: Final = 10_000

TOPS: Final = f"""\
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

class Tops:
    def map_batch(self, batch):
        for line in batch.column("value").to_pylist():
            numbers = np.random.default_rng(int(line)).permutation({TOP_ROWS})
            payload = pc.binary_repeat("x", pa.array([200] * {TOP_ROWS}))
            keys = pa.array([int(line) % {LARGE_KEYS}] * {TOP_ROWS})
            table = pa.table({{"key": keys, "value": numbers, "payload": payload}})
            yield table.sort_by([("value", "descending")]).slice(0, {TOP})

    def reduce_batch(self, batch):
        table = pa.table({{"key": batch["key"], "value": batch["value"]}})
        sums = table.group_by("key").aggregate([("value", "count"), ("value", "sum")]).to_pylist()
        yield pa.record_batch({{
            "key": [str(row["key"]) for row in sums],
            "value": [f"[{{row['value_count']}},{{row['value_sum']}}]" for row in sums],
        }})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCase:
    """A job over `lines` numbered lines, each of which becomes a thousand values, under limits in MiB."""

    name: str
    source: str
    lines: int
    answer: Callable[[int], Answer]
    limits: tuple[int, ...] = (512,)

    def input(self) -> str:
        """Return the text that the job reads."""
        return "".join(f"{number}\n" for number in range(self.lines))

    def manifest(self) -> Mapping[str, Any]:
        """Return the job: one map, one reduce."""
        return {
            "apiVersion": "podreduce.dev/v1beta1",
            "kind": "MapReduceJob",
            "metadata": {"name": self.name},
            "spec": {
                "program": {"source": self.source},
                "input": {"uris": ["input/"]},
                "output": {"uri": "output/"},
                "map": {"shards": 1},
                "reduce": {"partitions": 1},
            },
        }


def answer_large(lines: int) -> Answer:
    """Return what the job of the large shuffle must give."""
    counts = [0] * LARGE_KEYS
    folds = [0] * LARGE_KEYS
    for line in range(lines):
        numbers = random.Random(line)  # noqa: S311 - test data
        for _ in range(VALUES_PER_LINE):
            key = numbers.randrange(LARGE_KEYS)
            counts[key] += 1
            folds[key] = zlib.crc32(numbers.randbytes(VALUE_BYTES), folds[key])
    return {str(key): (counts[key], folds[key]) for key in range(LARGE_KEYS) if counts[key]}


def answer_heavy(lines: int) -> Answer:
    """Return what the job with the heavy key must give."""
    answer: Answer = {}
    for number in range(lines * VALUES_PER_LINE):
        key = "heavy" if number % 2 else f"light-{number % LIGHT_KEYS}"
        count, fold = answer.get(key, (0, 0))
        answer[key] = count + 1, (fold * FOLD_FACTOR + number) % FOLD_LIMIT
    return answer


def answer_batches(lines: int) -> Answer:
    """Return what the job of batches must give."""
    counts = np.zeros(LARGE_KEYS, np.int64)
    folds = np.zeros(LARGE_KEYS, np.int64)
    for line in range(lines):
        numbers = np.random.default_rng(line)
        keys = numbers.integers(0, LARGE_KEYS, VALUES_PER_LINE)
        values = np.frombuffer(numbers.bytes(VALUES_PER_LINE * VALUE_BYTES), np.uint8)
        np.add.at(counts, keys, 1)
        np.add.at(folds, keys, values[::VALUE_BYTES])
    return {str(key): (int(counts[key]), int(folds[key])) for key in range(LARGE_KEYS) if counts[key]}


def answer_latest(lines: int) -> Answer:
    """Return what the job of the latest records must give."""
    latest: dict[str, tuple[int, int]] = {}
    for number in range(lines * VALUES_PER_LINE):
        key, time = str(number % LATEST_KEYS), number * 7919 % TIMES
        latest[key] = max(latest.get(key, (-1, 0)), (time, number))
    return {key: (time, f"{number:010}" * PAYLOAD_COPIES) for key, (time, number) in latest.items()}


def answer_tops(lines: int) -> Answer:
    """Return what the job of the ten largest numbers a line must give."""
    counts = [0] * LARGE_KEYS
    for line in range(lines):
        counts[line % LARGE_KEYS] += TOP
    largest = sum(range(TOP_ROWS - TOP, TOP_ROWS))
    return {str(key): (count, count // TOP * largest) for key, count in enumerate(counts) if count}


LARGE_SHUFFLE: Final = MemoryCase(name="large-shuffle", source=LARGE, lines=4000, answer=answer_large)
"""4,000 x 1,000 values of 1,000 random bytes: 4 GB, which do not compress."""

ONE_HEAVY_KEY: Final = MemoryCase(name="one-heavy-key", source=HEAVY, lines=20_000, answer=answer_heavy)
"""20 million values, half of them under one key."""

LARGE_BATCHES: Final = MemoryCase(name="large-batches", source=BATCHES, lines=4000, answer=answer_batches)
"""As the large shuffle, in columns."""

LATEST_RECORDS: Final = MemoryCase(
    name="latest-records", source=LATEST, lines=400, answer=answer_latest, limits=(128, 256, 512)
)
"""The latest of 400,000 records of 5 KB under 20,000 keys: 100 MB are left of 2 GB. A `max` that is recognised."""

SETUP_TABLE: Final = MemoryCase(name="setup-table", source=LOADED, lines=1000, answer=answer_large, limits=(256, 512))
"""1 GB as in the large shuffle, beside a table of 100 MB that `setup` loads: too much for 128 MiB by itself."""

TOP_TEN: Final = MemoryCase(name="top-ten", source=TOPS, lines=2000, answer=answer_tops, limits=(128, 256, 512))
"""Ten rows each of 2,000 batches of 2 MB: what is held is little, what it comes from is 4 GB."""

MEMORY_CASES: Final = (LARGE_SHUFFLE, LARGE_BATCHES, ONE_HEAVY_KEY, LATEST_RECORDS, SETUP_TABLE, TOP_TEN)
