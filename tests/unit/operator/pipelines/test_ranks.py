from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.pipelines.ranks import critical_path, estimate_seconds, rank_steps

DIAMOND = {"clean": ["visits", "faults"], "visits": ["report"], "faults": ["report"]}


def test_a_step_counts_all_that_waits_for_it() -> None:
    estimates = {"clean": 10.0, "visits": 5.0, "faults": 20.0, "report": 4.0}
    assert rank_steps(estimates, DIAMOND) == {"clean": 34.0, "visits": 9.0, "faults": 24.0, "report": 4.0}
    assert critical_path(estimates, DIAMOND) == ["clean", "faults", "report"]


def test_more_slots_and_fewer_bytes_take_less_time() -> None:
    assert estimate_seconds(80e6, 1) == 6.0
    assert estimate_seconds(80e6, 2) == 5.0
    assert estimate_seconds(0, 8) == 4.0
    assert estimate_seconds(80e6, 2, slot_seconds_per_byte=1e-6) == 44.0


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, float], dict[str, list[str]]]:
    count = draw(st.integers(1, 9))
    estimates = {f"s{number}": float(draw(st.integers(1, 50))) for number in range(count)}
    consumers = {
        f"s{number}": [f"s{later}" for later in range(number + 1, count) if draw(st.booleans())]
        for number in range(count)
    }
    return estimates, consumers


@given(graphs())
def test_the_critical_path_is_the_longest_way_through_the_graph(
    graph: tuple[dict[str, float], dict[str, list[str]]],
) -> None:
    estimates, consumers = graph
    longest = max(sum(estimates[step] for step in way) for first in estimates for way in ways(first, consumers))
    path = critical_path(estimates, consumers)
    assert sum(estimates[step] for step in path) == longest
    assert all(later in consumers[step] for step, later in pairwise(path))
    assert rank_steps(estimates, consumers)[path[0]] == longest


def ways(step: str, consumers: dict[str, list[str]]) -> Iterator[list[str]]:
    """Every way from a step to an end of the graph."""
    if not consumers[step]:
        yield [step]
    for later in consumers[step]:
        yield from ([step, *way] for way in ways(later, consumers))
