import sys
import time

import pytest

from podreduce_operator.leadership.fence import CLOCK, Fence, NotLeadingError, read_clock


class World:
    """A fence, its clock, and what was said when the lease was lost."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lost: list[str] = []
        self.fence = Fence(self.lost.append, clock=lambda: self.now)

    def is_open(self) -> bool:
        try:
            self.fence.check()
        except NotLeadingError:
            return False
        return True


def test_before_the_lease_is_held_nothing_may_be_written_and_nothing_is_lost() -> None:
    world = World()
    assert not world.is_open()
    assert world.lost == []


@pytest.mark.parametrize(("now", "is_open"), [(100.0, True), (109.999, True), (110.0, False), (200.0, False)])
def test_writes_are_allowed_up_to_the_deadline(now: float, is_open: bool) -> None:
    world = World()
    world.fence.open_until(110.0)
    world.now = now
    assert world.is_open() == is_open


def test_each_renewal_moves_the_deadline() -> None:
    world = World()
    world.fence.open_until(110.0)
    world.now = 109.0
    world.fence.open_until(119.0)
    world.now = 118.0
    assert world.is_open()


def test_a_write_after_the_deadline_loses_the_lease_for_good_and_says_so_once() -> None:
    world = World()
    world.fence.open_until(110.0)
    world.now = 112.5
    assert not world.is_open()
    world.fence.open_until(120.0)
    assert not world.is_open()
    assert world.lost == ["it ran out 2.5 s ago"]
    assert world.fence.seconds_left() < 0


def test_once_closed_it_refuses_and_nothing_is_lost() -> None:
    world = World()
    world.fence.open_until(110.0)
    world.fence.close()
    assert not world.is_open()
    assert world.lost == []


def test_what_is_lost_once_is_not_lost_again() -> None:
    world = World()
    world.fence.open_until(110.0)
    world.fence.lose("another holds it")
    world.fence.lose("and it has run out")
    world.now = 112.5
    assert not world.is_open()
    assert world.lost == ["another holds it"]


def test_the_clock_is_one_that_nobody_sets_and_that_suspending_the_machine_does_not_stop() -> None:
    expected = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
    before = time.clock_gettime(expected)
    told = read_clock()
    assert before <= told <= time.clock_gettime(expected)
    assert expected == CLOCK


def test_a_write_that_is_held_back_says_why() -> None:
    with pytest.raises(NotLeadingError, match="does not hold the lease"):
        World().fence.check()
