"""Ten rounds of PageRank in numpy, the whole graph in memory.

usage: numpy_pagerank.py SOURCE TARGET ROUNDS
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

source, target, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
tables = [pq.read_table(path) for path in sorted(source.iterdir())]
vertices = np.concatenate([table["vertex"].to_numpy() for table in tables])
counts = np.concatenate([table["neighbours"].combine_chunks().value_lengths().to_numpy() for table in tables])
links = np.concatenate([table["neighbours"].combine_chunks().flatten().to_numpy() for table in tables])
size = int(max(vertices.max(), links.max())) + 1
ranks = np.ones(size)
for _ in range(rounds):
    sums = np.bincount(links, np.repeat(ranks[vertices] / counts, counts), size)
    ranks = 0.15 + 0.85 * sums
known = np.union1d(vertices, links)
pages = zip(known.tolist(), ranks[known].tolist(), strict=True)
target.mkdir(parents=True)
with (target / "part-0").open("w") as file:
    file.writelines(f"{page}\t{rank!r}\n" for page, rank in pages)
