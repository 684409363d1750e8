"""The comparison of results sees what differs, and nothing else."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.applications.shards import differing, find_results

ROWS = pa.table({"id": [1, 2, 3], "score": [0.1, 0.2, 0.1 + 0.2], "near": [[1], [], [2, 3]]})


def write_results(output: Path, cuts: tuple[int, ...]) -> Path:
    """Rows in parts that end at `cuts`, the last rows in the first part, and a part without rows; a file; and lines."""
    for name in ("rows", "report/_files", "pairs"):
        (output / name).mkdir(parents=True)
    edges = [0, *cuts, ROWS.num_rows]
    for number, (start, end) in enumerate(reversed(list(pairwise(edges)))):
        pq.write_table(ROWS.slice(start, end - start), output / "rows" / f"part-{number:05d}.parquet")
    pq.write_table(pa.table({"key": pa.nulls(0), "value": pa.nulls(0)}), output / "rows" / "part-00009.parquet")
    (output / "rows" / "_MANIFEST.json").write_text(str(cuts))
    (output / "report" / "_files" / "report.html").write_text("<p>0.30000000000000004</p>")
    (output / "pairs" / "part-00000.pairs").write_bytes(b"model")
    return output


def test_rows_may_lie_in_other_parts(tmp_path: Path) -> None:
    one, other = (find_results(write_results(tmp_path / str(len(cuts)), cuts)) for cuts in ((), (1, 2)))
    assert sorted(one) == ["pairs", "report/report.html", "rows"]
    assert differing(one, other) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rows", lambda output: pq.write_table(ROWS.slice(1), output / "rows" / "part-00000.parquet")),
        ("report/report.html", lambda output: (output / "report/_files/report.html").write_text("<p>0.3</p>")),
        ("pairs", lambda output: (output / "pairs" / "part-00000.pairs").unlink()),
    ],
)
def test_what_differs_is_named(tmp_path: Path, name: str, change: Callable[[Path], object]) -> None:
    one, other = (write_results(tmp_path / each, ()) for each in ("one", "other"))
    change(other)
    assert differing(find_results(one), find_results(other)) == [name]


def test_the_last_digit_counts(tmp_path: Path) -> None:
    one, other = (write_results(tmp_path / each, ()) for each in ("one", "other"))
    rounded = ROWS.set_column(1, "score", pa.array([0.1, 0.2, 0.3]))
    pq.write_table(rounded, other / "rows" / "part-00000.parquet")
    assert differing(find_results(one), find_results(other)) == ["rows"]
