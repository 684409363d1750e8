"""Digests of rows and code: the same for the same, another for whatever else."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.risk import provenance
from podreduce_apps.risk.features import FEATURES
from podreduce_apps.risk.provenance import code_digest
from podreduce_apps.risk.training import Moments


def draw_rows(count: int = 300) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    return {
        "id": np.array([f"t{i}" for i in range(count)]),
        **{name: random.integers(0, 9, count) for name in FEATURES},
        "fraud": (np.arange(count) % 10 == 0).astype(np.int8),
    }


def data_digest(rows: dict[str, np.ndarray[Any, Any]], parts: int = 1) -> str:
    """Return what the step `moments` says of rows in so many batches."""
    job = Moments()
    values: dict[int, list[str]] = {}
    for places in np.array_split(np.arange(len(rows["id"])), parts):
        batch = job.map_batch(pa.record_batch({name: pa.array(column[places]) for name, column in rows.items()}))
        for row in batch.to_pylist():
            values.setdefault(row["key"], []).append(row["value"])
    found = dict(pair for key in sorted(values) for pair in job.reduce_func(key, iter(values[key])))
    assert found["rows"] == len(rows["id"])
    return str(found["dataDigest"])


def test_the_digest_of_rows_does_not_depend_on_their_order_or_batches() -> None:
    rows = draw_rows()
    order = np.random.default_rng(1).permutation(len(rows["id"]))
    mixed = {name: column[order] for name, column in rows.items()}

    assert {data_digest(rows), data_digest(mixed), data_digest(rows, 7)} == {data_digest(rows)}


@pytest.mark.parametrize("name", ["id", *FEATURES, "fraud"])
def test_one_other_value_gives_another_digest(name: str) -> None:
    rows, other = draw_rows(), draw_rows()
    other[name][17] = "x" if name == "id" else 1 - other[name][17]

    assert data_digest(other) != data_digest(rows)


def test_a_row_twice_or_left_out_gives_another_digest() -> None:
    rows = draw_rows()
    twice = {name: np.append(column, column[:1]) for name, column in rows.items()}
    less = {name: column[:-1] for name, column in rows.items()}

    assert len({data_digest(each) for each in (rows, twice, less)}) == 3


def test_the_code_digest_changes_with_any_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_digest()
    copy = tmp_path / "podreduce_apps"
    shutil.copytree(provenance.PACKAGE.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy / "risk")
    assert code_digest() == before

    for name in ("risk/windows.py", "parameters.py"):
        with (copy / name).open("a") as file:
            file.write("#\n")
        assert code_digest() not in (before, "")
        shutil.copy(Path(provenance.__file__).parent.parent / name, copy / name)
    (copy / "risk" / "more.py").touch()
    assert code_digest() != before
