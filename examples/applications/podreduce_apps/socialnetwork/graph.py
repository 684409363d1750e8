"""Rows of the graph as numpy arrays, and vectors with a value for each vertex.

A row is a vertex with its distinct neighbours in ascending order. `directions` has a bit for each way of an edge: 1
from the vertex to the neighbour, 2 from the neighbour to the vertex. An undirected edge has both.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "IN",
    "OUT",
    "Floats",
    "Ints",
    "Rows",
    "dense_flags",
    "dense_floats",
    "dense_ints",
    "group_sums",
    "keep_entries",
    "read_rows",
    "row_numbers",
    "row_sums",
    "sorted_rows",
]

OUT = 1
IN = 2
Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some vertices with their neighbours (CSR).

    Attributes:
        vertices: (r,) the vertices.
        offsets: (r + 1,) where the entries of each row begin and end.
        neighbours: (e,) the neighbours of all rows, one row after the other.
        weights: (e,) in millionths; empty if they were not read.
        directions: (e,) `OUT`, `IN` or both; empty if they were not read.
    """

    vertices: Ints
    offsets: Ints
    neighbours: Ints
    weights: Ints
    directions: Ints


def read_rows(table: Any) -> Rows:  # noqa: ANN401 - a Table or RecordBatch of the step `adjacency`
    """Return a table's rows, in its order."""
    counts = pc.list_value_length(table["neighbours"]).to_numpy()
    return Rows(
        vertices=table["vertex"].to_numpy().astype(np.int64),
        offsets=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        neighbours=entries(table, "neighbours"),
        weights=entries(table, "weights"),
        directions=entries(table, "directions"),
    )


def entries(table: Any, name: str) -> Ints:  # noqa: ANN401 - likewise
    """Return a list column's values, one row after the other; none if the column was not read."""
    if name not in table.schema.names:
        return np.zeros(0, np.int64)
    values: Ints = pc.list_flatten(table[name]).to_numpy().astype(np.int64)
    return values


def sorted_rows(table: Any) -> Rows:  # noqa: ANN401 - likewise
    """Return the whole graph's rows: row i is vertex i."""
    return read_rows(pa.table(table).sort_by("vertex"))


def row_numbers(rows: Rows) -> Ints:
    """Return for each entry the number of its row."""
    return np.repeat(np.arange(len(rows.vertices)), np.diff(rows.offsets))


def keep_entries(rows: Rows, kept: npt.NDArray[np.bool_]) -> Rows:
    """Return rows with only those entries that are kept."""
    counts = np.bincount(row_numbers(rows)[kept], minlength=len(rows.vertices))
    return Rows(
        vertices=rows.vertices,
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        neighbours=rows.neighbours[kept],
        weights=rows.weights[kept] if len(rows.weights) else rows.weights,
        directions=rows.directions[kept] if len(rows.directions) else rows.directions,
    )


def row_sums(values: Floats, offsets: Ints) -> Floats:
    """Return the sum of each row's values. A row's sum does not depend on the rows beside it."""
    sums = np.zeros(len(offsets) - 1)
    filled = offsets[1:] > offsets[:-1]
    if filled.any():
        sums[filled] = np.add.reduceat(values, offsets[:-1][filled])
    return sums


def group_sums(keys: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct keys in ascending order, and the sum of each one's values."""
    if not len(keys):
        return keys, values
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.add.reduceat(values[order], starts)


def dense_floats(table: Any, name: str) -> Floats:  # noqa: ANN401 - a table with a row for each vertex
    """Return a column as a vector by vertex."""
    vector = np.zeros(table.num_rows)
    vector[table["vertex"].to_numpy()] = table[name].to_numpy()
    return vector


def dense_flags(table: Any, name: str) -> npt.NDArray[np.bool_]:  # noqa: ANN401 - likewise
    """Return a column of yes and no as a vector by vertex."""
    vector = np.zeros(table.num_rows, bool)
    vector[table["vertex"].to_numpy()] = table[name].to_numpy()
    return vector


def dense_ints(table: Any, name: str) -> Ints:  # noqa: ANN401 - likewise
    """Return a column as a vector of whole numbers by vertex."""
    vector = np.zeros(table.num_rows, np.int64)
    vector[table["vertex"].to_numpy()] = table[name].to_numpy()
    return vector
