"""Vertices are numbered in the order of their names, whichever rows come beside each other."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.socialnetwork.names import Names


class Counting:
    """A context with counters."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, group: str, name: str, n: int = 1) -> None:
        self.counts[f"{group}/{name}"] += n


def number(rows: list[tuple[str, str]], cut: int) -> list[dict[str, Any]]:
    """The vertices of rows that a shuffle has sorted by name, in batches that do not cut a name."""
    ordered = sorted(rows, key=lambda row: row[0].encode())
    cut = next((place for place in range(cut, len(ordered)) if ordered[place][0] != ordered[place - 1][0]), 0)
    job, found = Names(), []
    job.setup(Counting())
    for part in (ordered[:cut], ordered[cut:]):
        if part:
            names, groups = zip(*part, strict=True)
            found += job.reduce_batch(pa.record_batch({"key": names, "group": groups})).to_pylist()
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("copies", [1, 2, 9])
def test_vertices_have_the_numbers_of_their_names_in_order(seed: int, copies: int) -> None:
    chance = np.random.default_rng(seed)
    names = [f"{first} {last}é" for first in ("Ada", "Alan", "Amir", "Bela", "Zoë") for last in range(100)]
    rows = [(name, "") for name in names for _ in range(chance.integers(1, copies + 1))]
    rows += [(name, group) for name in names[::3] for group in ("left", "right")]

    found = number(rows, int(chance.integers(1, len(rows))))

    ordered = sorted(names, key=str.encode)
    assert [row["vertex"] for row in found] == list(range(len(names)))
    assert [row["name"] for row in found] == ordered
    assert [row["group"] for row in found] == ["right" if name in names[::3] else "" for name in ordered]


@pytest.mark.parametrize("cut", [1, 77, 1000])
def test_vertices_are_numbered_in_the_order_of_their_names_wherever_batches_are_cut(cut: int) -> None:
    names = sorted(f"v{number * 7919 % 100_003}" for number in range(1000))
    rows = pa.table({"key": [name for name in names for _ in range(3)], "group": ["", "b", "a"] * len(names)})
    task, parts = Names(), []
    task.setup(Counting())

    for start in range(0, rows.num_rows, 3 * cut):
        parts.extend(task.reduce_batch(rows.slice(start, 3 * cut).to_batches()[0]).to_pylist())

    assert parts == [{"vertex": number, "name": name, "group": "b"} for number, name in enumerate(names)]
