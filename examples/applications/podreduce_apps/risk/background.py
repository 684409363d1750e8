"""What is usual: a sample of the training rows, from which all scores without reports are worked out.

The sample has the rows with the smallest hashes of their ids. So it is as good as drawn, always the same, and the same
however the rows are cut into shards.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.risk.features import FEATURES, feature_matrix
from podreduce_apps.risk.isolation import grow_forest

__all__ = ["Background", "hash_ids"]

ROWS = 10_000
Floats = npt.NDArray[np.float64]


class Background:
    """Keeps the sample, and grows the isolation forest over it."""

    combiner = f"smallest:{ROWS}"

    def setup(self, context: JobContext) -> None:
        """Read the seed of the forest."""
        self.seed = read_whole(context.parameters, "forestSeed")

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the rows of the batch that may be in the sample: their hashes, and the features."""
        hashes = hash_ids(batch["id"].to_pylist())
        chosen = np.argsort(hashes, kind="stable")[:ROWS]
        features = feature_matrix(batch)[chosen]
        values = [[float(number), *row] for number, row in zip(hashes[chosen], features.tolist(), strict=True)]
        return pa.table({"key": np.zeros(len(chosen), np.int64), "value": pa.array(values, pa.list_(pa.float64()))})

    def reduce_func(self, _key: int, values: Iterator[Sequence[float]]) -> Iterator[tuple[str, Any]]:
        """Yield the sample, a list of sorted values for each feature, and the forest."""
        sample = np.array([value[1:] for value in values])
        yield "sorted", {name: np.sort(column).tolist() for name, column in zip(FEATURES, sample.T, strict=True)}
        yield "forest", [tree.to_dict() for tree in grow_forest(sample, self.seed)]


def hash_ids(ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return a hash below 2^52 of each id, which is a float as well."""
    return np.array([int.from_bytes(blake2b(each.encode(), digest_size=8).digest()) >> 12 for each in ids], np.int64)
