"""The sort as a bare numpy program: two processes, each with one half of the keys' range, write the two parts.

usage: numpy_sort.py sort SOURCE TARGET
"""

import sys
from multiprocessing import Process
from pathlib import Path

import numpy as np

source, target = Path(sys.argv[2]), Path(sys.argv[3])
RECORD_BYTES, KEY_BYTES, SAMPLE = 100, 10, 1000


def read_file(path):
    return np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, RECORD_BYTES)


def read_heads(records):
    """The first eight bytes of the keys as numbers of the same order."""
    return np.ascontiguousarray(records[:, :8]).view(">u8").ravel().astype(np.uint64)


def sort_half(number: int, boundary: np.uint64) -> None:
    kept, heads = [], []
    for path in sorted(source.iterdir()):
        records = read_file(path)
        head = read_heads(records)
        mine = np.flatnonzero((head >= boundary) == bool(number))
        kept.append(records[mine])
        heads.append(head[mine])
    records, head = np.concatenate(kept), np.concatenate(heads)
    del kept, heads
    order = np.argsort(head)
    settle_ties(records, head, order)
    with (target / f"part-{number}").open("wb") as output:
        for start in range(0, len(order), 100_000):
            output.write(records[order[start : start + 100_000]])


def settle_ties(records, head, order) -> None:
    """Order the few records of equal heads by their whole keys."""
    ordered = head[order]
    for start in np.flatnonzero(ordered[1:] == ordered[:-1]):
        group = order[ordered == ordered[start]]
        keys = [records[position, :KEY_BYTES].tobytes() for position in group]
        order[ordered == ordered[start]] = [group[place] for place in np.argsort(keys, kind="stable")]


def main() -> None:
    target.mkdir()
    sample = np.concatenate([read_heads(read_file(path)[:SAMPLE]) for path in source.iterdir()])
    boundary = np.sort(sample)[len(sample) // 2]
    processes = [Process(target=sort_half, args=(number, boundary)) for number in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(max(process.exitcode or 0 for process in processes))


if __name__ == "__main__":
    main()
