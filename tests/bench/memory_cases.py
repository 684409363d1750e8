"""Three jobs whose data are many times a task's memory: what they read, what they do, and what must come out.

The right answer is folded here record by record, without podreduce; the folds depend on the order of a key's values.
"""

import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

__all__ = ["LARGE_BATCHES", "LARGE_SHUFFLE", "MEMORY_CASES", "ONE_HEAVY_KEY", "MemoryCase"]

Answer = dict[str, tuple[int, int]]
"""Key → number of values and their fold."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCase:
    """A job over `lines` numbered lines, each of which becomes a thousand values."""

    name: str
    source: str
    lines: int
    answer: Callable[[int], Answer]

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


LARGE_SHUFFLE: Final = MemoryCase(name="large-shuffle", source=LARGE, lines=4000, answer=answer_large)
"""4,000 x 1,000 values of 1,000 random bytes: 4 GB, which do not compress."""

ONE_HEAVY_KEY: Final = MemoryCase(name="one-heavy-key", source=HEAVY, lines=20_000, answer=answer_heavy)
"""20 million values, half of them under one key."""

LARGE_BATCHES: Final = MemoryCase(name="large-batches", source=BATCHES, lines=4000, answer=answer_batches)
"""As the large shuffle, in columns."""

MEMORY_CASES: Final = (LARGE_SHUFFLE, LARGE_BATCHES, ONE_HEAVY_KEY)
