import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.columnar.columns import sort_rows
from podreduce.columnar.int_sorting import LEAST_ROWS, MOST_RUNS, sort_by_halves, sort_ints

STARTS = [0, 1, -(2**31), -(2**63), 2**63 - 2**32]
OFFSETS = st.sampled_from([0, 1, 2**16 - 1, 2**16, 2**16 + 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)


@given(st.sampled_from(STARTS), st.lists(OFFSETS, max_size=40))
def test_ints_are_in_order_and_equal_ones_stay_as_they_are(start: int, offsets: list[int]) -> None:
    numbers = [start + offset for offset in [*offsets, *offsets]]
    found = sort_by_halves(np.array(numbers, np.int64), start)
    assert found.tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)


@pytest.mark.parametrize("runs", [1, MOST_RUNS, MOST_RUNS + 1, 500])
@pytest.mark.parametrize("far", [2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**63 - 1])
def test_ints_are_sorted_unless_arrow_counts_them_or_two_halves_do_not_do(far: int, runs: int) -> None:
    numbers = np.array([0, 5, far] * runs) if runs > 1 else np.array([0, 5, far])
    found = sort_ints(numbers)
    assert (found is None) is (far < 2**16 or (far >= 2**32 and runs > MOST_RUNS))
    if found is not None:
        assert found.tolist() == sorted(range(len(numbers)), key=numbers.__getitem__)


@pytest.mark.parametrize("rows", [LEAST_ROWS - 1, LEAST_ROWS, 100_000])
@pytest.mark.parametrize("kind", ["random", "far apart", "runs", "in order", "with nulls", "a slice"])
def test_a_column_of_ints_has_arrows_order(kind: str, rows: int) -> None:
    random = np.random.default_rng(rows)
    numbers = random.integers(-(2**20), 2**20, rows)
    runs = np.concatenate([np.sort(each) for each in np.array_split(numbers, 7)])
    column = {
        "random": pa.array(numbers),
        "far apart": pa.array(random.integers(-(2**63), 2**63 - 1, rows)),
        "runs": pa.array(runs),
        "in order": pa.array(np.sort(numbers)),
        "with nulls": pa.array(numbers, mask=numbers % 7 == 0),
        "a slice": pa.array(np.concatenate((numbers, numbers))).slice(rows // 2, rows),
    }[kind]
    expected = pc.array_sort_indices(column, order="ascending", null_placement="at_start")
    assert sort_rows(column).tolist() == expected.to_pylist()
