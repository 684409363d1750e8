"""Leaves records out of the input by `input.sample`: which ones follows from a hash of each record's key, and the seed.

The key of a line or a row is its place in its object. So the key of the object in its bucket counts as well, and each
record is kept or left out by itself, as each WholeObject is. FixedLength and Pairs have keys of their own: all records
of a key are kept, or none, in every object and input. Neither shards nor blocks count. A larger fraction keeps all
records that a smaller one keeps.

Places are hashed by SplitMix64 (Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators, figure 17),
many at a time; other keys by SHA-256. Rule: all records are decoded first, so that a bad record is one in any sample.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import compress
from typing import TYPE_CHECKING, Any, Final

from podreduce.contract.plan import Sample
from podreduce.encoding.codec import UnsupportedTypeError, encode_key, encode_value
from podreduce.inputs.record_block import RecordBlock, Salvaged

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RecordSampler"]

PLACED_FORMATS: Final = frozenset({"Text", "JSONLines", "CSV", "Parquet"})
"""The formats whose keys are places in the object."""
HASH_BITS: Final = 53
"""A fraction times 2^53 is exact, and so is its comparison with so many bits of a hash."""

GOLDEN_GAMMA, FIRST_MIX, SECOND_MIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class RecordSampler:
    """Samples the blocks of one map task.

    Attributes:
        left_out: how many records were read and left out so far.
    """

    def __init__(self, sample: Sample, input_format: str) -> None:
        self._seed = f"{sample.seed}\n".encode()
        self._limit = int(sample.fraction * 2**HASH_BITS)
        self._format = input_format
        self.left_out = 0

    def keep(self, block: RecordBlock, name: str) -> RecordBlock:
        """Return the records of a block that are in the sample; `name` is the object's key in its bucket."""
        choose = cache(partial(self._choose, block, name))

        def choose_arrow() -> "pa.RecordBatch":
            import pyarrow as pa  # noqa: PLC0415 - only the columnar tier needs it

            batch = block.to_arrow()
            return batch.filter(pa.array(choose(), pa.bool_()))

        def choose_values() -> list[Any]:
            values = block.values  # first: it may raise
            return list(compress(values, choose()))

        return RecordBlock(
            stored_bytes=block.stored_bytes,
            make_values=choose_values,
            make_keys=lambda: list(compress(block.keys(), choose())),
            make_arrow=choose_arrow,
            key_unit=block.key_unit,
            salvage=None if block.salvage is None else partial(self._salvage, block.salvage, name),
            show=None if block.show is None else lambda place: block.shown(nth_kept(choose(), place)),
        )

    def _salvage(self, salvage: Callable[[bool], Salvaged], name: str, as_columns: bool) -> Salvaged:
        """Return the decodable records of a block that are in the sample, and all its undecodable ones."""
        salvaged = salvage(as_columns)
        return Salvaged(block=self.keep(salvaged.block, name), bad=salvaged.bad)

    def _choose(self, block: RecordBlock, name: str) -> list[bool]:
        """Tell for each record of a block whether it is in the sample, and count the others."""
        if self._format in PLACED_FORMATS:
            chosen = self._choose_places(block.keys(), name)
        else:
            chosen = [self._has(key) for key in ([name] if self._format == "WholeObject" else block.keys())]
        self.left_out += chosen.count(False)
        return chosen

    def _choose_places(self, places: Sequence[int], name: str) -> list[bool]:
        """Tell for each place in an object whether the record there is in the sample."""
        import numpy as np  # noqa: PLC0415 - slow to import; only samples of rows need it

        state = np.uint64(int.from_bytes(hashlib.sha256(self._seed + name.encode()).digest()[:8], "big"))
        with np.errstate(over="ignore"):
            mixed = state + np.asarray(places, np.uint64) * np.uint64(GOLDEN_GAMMA)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(FIRST_MIX)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(SECOND_MIX)
            mixed ^= mixed >> np.uint64(31)
        chosen: list[bool] = (mixed >> np.uint64(64 - HASH_BITS) < np.uint64(self._limit)).tolist()
        return chosen

    def _has(self, key: Any) -> bool:  # noqa: ANN401 - a record's
        """Tell whether the records of a key are in the sample."""
        digest = hashlib.sha256(self._seed + bytes_of(key)).digest()
        return int.from_bytes(digest[:8], "big") >> (64 - HASH_BITS) < self._limit


def bytes_of(key: Any) -> bytes:  # noqa: ANN401 - a record's
    """Return the encoding of a record's key: the same for equal keys. Pairs may have others than a shuffle takes."""
    try:
        return encode_key(key)
    except UnsupportedTypeError:
        return encode_value(key)


def nth_kept(chosen: Sequence[bool], number: int) -> int:
    """Return the place of the kept record of that number."""
    return list(compress(range(len(chosen)), chosen))[number]
