"""How often something is read that costs much."""

import pytest

from podreduce_operator.read_budget import ReadingPace
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def pace(clock: ManualClock) -> ReadingPace:
    return ReadingPace(0.05, clock)


def read_for(pace: ReadingPace, clock: ManualClock, seconds: float) -> None:
    with pace.measured():
        clock.now += seconds


def fail_to_read(pace: ReadingPace) -> None:
    with pace.measured():
        raise OSError("away")


def test_the_first_is_due_at_once(pace: ReadingPace) -> None:
    assert pace.is_due()


@pytest.mark.parametrize(("took", "pause"), [(0.01, 0.19), (1.5, 28.5)], ids=["short", "long"])
def test_reading_takes_its_part_of_the_time(pace: ReadingPace, clock: ManualClock, took: float, pause: float) -> None:
    read_for(pace, clock, took)
    clock.now += pause * 0.99
    assert not pace.is_due()
    clock.now += pause * 0.02
    assert pace.is_due()


def test_one_that_costs_nothing_is_always_due(pace: ReadingPace, clock: ManualClock) -> None:
    read_for(pace, clock, 0.0)
    assert pace.is_due()


def test_one_can_be_demanded(pace: ReadingPace, clock: ManualClock) -> None:
    read_for(pace, clock, 1.0)
    pace.demand()
    assert pace.is_due()


def test_one_that_fails_is_due_again(pace: ReadingPace, clock: ManualClock) -> None:
    read_for(pace, clock, 1.0)
    clock.now += 100.0
    with pytest.raises(OSError, match="away"):
        fail_to_read(pace)
    assert pace.is_due()


def test_one_is_not_due_while_another_goes_on(pace: ReadingPace) -> None:
    with pace.measured():
        assert not pace.is_due()
