"""The graph that PageRank is measured on: R-MAT, in two forms. Made once per size, and kept.

R-MAT after Chakrabarti, Zhan, Faloutsos: "R-MAT: a recursive model for graph mining", SDM 2004, with the probabilities
of Graph500: 0.57, 0.19, 0.19, 0.05.
"""

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.bench.paths import cache_directory

__all__ = ["FILES", "draw_edges", "prepare_graph"]

FILES: Final = 8
EDGES_PER_VERTEX: Final = 10
SEED: Final = 20
QUADRANTS: Final = (0.57, 0.19, 0.19, 0.05)

Numbers = NDArray[np.int64]


def prepare_graph(edges: int) -> Path:
    """Return the directory with `links/` (text lines `page TAB link link …`) and `rows/` (Parquet: vertex, neighbours).

    Args:
        edges: how many edges are drawn. Repeated ones count once.
    """
    directory = cache_directory() / f"rmat-{edges}"
    if not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="rmat-", dir=directory.parent) as scratch:
            made = Path(scratch) / "made"
            write_graph(*draw_edges(edges), made)
            made.rename(directory)
    return directory


def draw_edges(edges: int) -> tuple[Numbers, Numbers]:
    """Return the sources and targets of distinct edges without loops, in the order of the sources."""
    random, levels = np.random.default_rng(SEED), max(int(np.log2(edges / EDGES_PER_VERTEX)), 1)
    sources, targets = np.zeros(edges, np.int64), np.zeros(edges, np.int64)
    for _ in range(levels):
        quadrant = random.choice(4, edges, p=QUADRANTS)
        sources, targets = sources * 2 + quadrant // 2, targets * 2 + quadrant % 2
    codes = np.unique((sources << 32) | targets)
    sources, targets = codes >> 32, codes & 0xFFFFFFFF
    kept = sources != targets
    return sources[kept], targets[kept]


def write_graph(sources: Numbers, targets: Numbers, directory: Path) -> None:
    """Write both forms in eight files each."""
    vertices, starts = np.unique(sources, return_index=True)
    ends = np.append(starts[1:], len(sources))
    for part in range(FILES):
        chosen = slice(part * len(vertices) // FILES, (part + 1) * len(vertices) // FILES)
        write_part(vertices[chosen], starts[chosen], ends[chosen], targets, directory, part)


def write_part(  # noqa: PLR0917 - columns of one table
    vertices: Numbers, starts: Numbers, ends: Numbers, targets: Numbers, directory: Path, part: int
) -> None:
    """Write one file of each form."""
    for name in ("links", "rows"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    own = targets[starts[0] : ends[-1]]
    offsets: Any = pa.array(np.append(starts - starts[0], ends[-1] - starts[0]), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, pa.array(own, pa.int32()))
    table = pa.table({"vertex": pa.array(vertices, pa.int32()), "neighbours": lists})
    pq.write_table(table, directory / "rows" / f"part-{part}.parquet")
    with (directory / "links" / f"part-{part}.txt").open("w") as file:
        for vertex, start, end in zip(vertices.tolist(), starts.tolist(), ends.tolist(), strict=True):
            file.write(f"{vertex}\t{' '.join(map(str, targets[start:end].tolist()))}\n")
