"""How often the records are listed."""

import pytest

from podreduce_operator.listing_pace import ListingPace
from tests.builders import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def pace(clock: ManualClock) -> ListingPace:
    return ListingPace(clock)


def list_for(pace: ListingPace, clock: ManualClock, seconds: float) -> None:
    with pace.measured():
        clock.now += seconds


def fail_to_list(pace: ListingPace) -> None:
    with pace.measured():
        raise OSError("away")


def test_the_first_is_due_at_once(pace: ListingPace) -> None:
    assert pace.is_due()


@pytest.mark.parametrize(("took", "pause"), [(0.01, 0.19), (1.5, 28.5)], ids=["short", "long"])
def test_listings_take_a_twentieth_of_the_time(
    pace: ListingPace, clock: ManualClock, took: float, pause: float
) -> None:
    list_for(pace, clock, took)
    clock.now += pause * 0.99
    assert not pace.is_due()
    clock.now += pause * 0.02
    assert pace.is_due()


def test_one_that_costs_nothing_is_always_due(pace: ListingPace, clock: ManualClock) -> None:
    list_for(pace, clock, 0.0)
    assert pace.is_due()


def test_one_can_be_demanded(pace: ListingPace, clock: ManualClock) -> None:
    list_for(pace, clock, 1.0)
    pace.demand()
    assert pace.is_due()


def test_one_that_fails_is_due_again(pace: ListingPace, clock: ManualClock) -> None:
    list_for(pace, clock, 1.0)
    clock.now += 100.0
    with pytest.raises(OSError, match="away"):
        fail_to_list(pace)
    assert pace.is_due()
