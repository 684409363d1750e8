from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.pipelines.loops import (
    Iteration,
    Loop,
    LoopEnd,
    LoopError,
    StepOutcome,
    Until,
    find_loop_end,
    read_values,
)

MOVED = Until(step="assign", counter="kmeans/moved", comparison="Equal", than=0)


def iteration(**fields: Any) -> Iteration:
    return {"assign": StepOutcome(**{"records": 10, "bytes": 100} | fields)}


def moved(count: int) -> Iteration:
    return iteration(counters={"kmeans/moved": count})


def delta(*found: object) -> Iteration:
    return iteration(values={"delta": found})


def make_loop(until: Until | None = MOVED, **fields: Any) -> Loop:
    return Loop(name="lloyd", until=() if until is None else (until,), **{"max_iterations": 5} | fields)


def test_a_loop_ends_when_its_condition_holds() -> None:
    assert find_loop_end(make_loop(), []) is None
    assert find_loop_end(make_loop(), [moved(7)]) is None
    assert find_loop_end(make_loop(), [moved(7), moved(0)]) is LoopEnd.CONVERGED


def test_a_loop_ends_at_its_limit() -> None:
    assert find_loop_end(make_loop(), [moved(7)] * 4) is None
    assert find_loop_end(make_loop(), [moved(7)] * 5) is LoopEnd.LIMIT_REACHED


def test_a_condition_that_holds_at_the_limit_counts() -> None:
    assert find_loop_end(make_loop(), [*[moved(7)] * 4, moved(0)]) is LoopEnd.CONVERGED


def test_a_loop_without_conditions_runs_a_fixed_number_of_times() -> None:
    assert find_loop_end(make_loop(None), [moved(0)] * 4) is None
    assert find_loop_end(make_loop(None), [moved(0)] * 5) is LoopEnd.CONVERGED


def test_the_least_number_of_iterations_is_run() -> None:
    loop = make_loop(min_iterations=3)
    assert find_loop_end(loop, [moved(0)] * 2) is None
    assert find_loop_end(loop, [moved(0)] * 3) is LoopEnd.CONVERGED


def test_all_conditions_must_hold() -> None:
    size = Until(step="assign", output="Records", comparison="GreaterOrEqual", than=11)
    loop = Loop(name="lloyd", max_iterations=9, until=(MOVED, size))
    assert find_loop_end(loop, [moved(0)]) is None
    assert find_loop_end(loop, [iteration(records=11, counters={"kmeans/moved": 0})]) is LoopEnd.CONVERGED


@pytest.mark.parametrize(
    ("comparison", "holding"),
    [
        ("Less", [1]),
        ("LessOrEqual", [1, 2]),
        ("Equal", [2]),
        ("GreaterOrEqual", [2, 3]),
        ("Greater", [3]),
    ],
)
def test_numbers_are_compared_as_the_condition_says(comparison: Any, holding: list[int]) -> None:
    until = Until(step="assign", value="delta", comparison=comparison, than=2)
    assert [number for number in (1, 2, 3) if find_loop_end(make_loop(until), [delta(number)])] == holding


@pytest.mark.parametrize(
    ("of", "numbers", "expected"),
    [
        ("Change", [3.0], None),
        ("Change", [3.0, 5.0], 2.0),
        ("Change", [5.0, 3.0], 2.0),
        ("RelativeChange", [4.0, 5.0], 0.25),
        ("RelativeChange", [-4.0, 5.0], 2.25),
        ("RelativeChange", [0.0, 0.0], 0.0),
        ("RelativeChange", [0.0, 1.0], float("inf")),
    ],
)
def test_a_change_is_measured_from_the_iteration_before(of: Any, numbers: list[float], expected: float | None) -> None:
    until = Until(step="assign", value="delta", comparison="Less", than=0.1, of=of)
    (found,) = read_values(make_loop(until), [delta(number) for number in numbers])
    assert found.number == expected
    assert found.holds == (expected is not None and expected < 0.1)


def test_a_counter_that_nobody_counts_is_an_error_and_not_convergence() -> None:
    with pytest.raises(LoopError, match=r"assign has not counted kmeans/moved .* its counters: kmeans/mvoed"):
        find_loop_end(make_loop(), [iteration(counters={"kmeans/mvoed": 3})])


def test_a_counter_that_is_no_longer_counted_is_zero() -> None:
    assert find_loop_end(make_loop(), [moved(7), iteration()]) is LoopEnd.CONVERGED


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "has nothing under the key 'delta'"),
        ([1.0, 2.0], "has 2 records under the key 'delta'"),
        (["1.0"], "has '1.0' under"),
        ([True], "has True under"),
        ([None], "has None under"),
        ([float("nan")], "has nan under"),
        ([float("inf")], "has inf under"),
    ],
)
def test_a_value_that_is_no_single_number_is_an_error(found: list[object], told: str) -> None:
    until = Until(step="assign", value="delta", comparison="Less", than=1)
    with pytest.raises(LoopError, match=told):
        find_loop_end(make_loop(until), [delta(5.0), delta(*found)])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(1, 6), st.integers(1, 6))
def test_the_end_is_the_same_whenever_it_is_asked_for(counts: list[int], limit: int, least: int) -> None:
    """What was the end after n iterations is still the end if more are there, as after a restart with old records."""
    loop = make_loop(max_iterations=max(limit, least), min_iterations=least)
    iterations = [moved(count) for count in counts]
    ends = [find_loop_end(loop, iterations[:count]) for count in range(len(iterations) + 1)]
    first = next((count for count, end in enumerate(ends) if end is not None), len(ends))
    assert all(end is None for end in ends[:first])
    assert len(set(ends[first:])) <= 1
    assert all(count >= least for count in range(len(ends)) if ends[count] is not None)
