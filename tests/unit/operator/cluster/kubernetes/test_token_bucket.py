"""So many a second."""

import pytest

from podreduce_operator.cluster.kubernetes.token_bucket import TokenBucket
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_a_full_bucket_gives_its_tokens_at_once_and_then_one_by_one(clock: ManualClock) -> None:
    bucket = TokenBucket(10.0, 0.3, clock)
    assert [round(bucket.take(), 3) for _ in range(5)] == [0.0, 0.0, 0.0, 0.1, 0.2]


def test_it_fills_with_time(clock: ManualClock) -> None:
    bucket = TokenBucket(10.0, 0.3, clock)
    for _ in range(5):
        bucket.take()
    clock.now += 0.3
    assert bucket.take() == pytest.approx(0.0)
    assert bucket.take() == pytest.approx(0.1)


def test_it_holds_no_more_than_its_burst(clock: ManualClock) -> None:
    bucket = TokenBucket(10.0, 0.2, clock)
    clock.now += 1000.0
    assert [round(bucket.take(), 3) for _ in range(3)] == [0.0, 0.0, 0.1]


def test_another_rate_holds_from_then_on(clock: ManualClock) -> None:
    bucket = TokenBucket(10.0, 0.1, clock)
    bucket.take()
    bucket.rate = 2.0
    assert bucket.take() == pytest.approx(0.5)


def test_drained_it_gives_none_at_once(clock: ManualClock) -> None:
    bucket = TokenBucket(10.0, 0.5, clock)
    bucket.drain()
    assert bucket.take() == pytest.approx(0.1)


def test_drained_it_gives_away_what_had_gathered_meanwhile(clock: ManualClock) -> None:
    bucket = TokenBucket(10.0, 0.5, clock)
    bucket.drain()
    clock.now += 1.0
    bucket.drain()
    assert bucket.take() == pytest.approx(0.1)


def test_drained_it_forgives_no_debt(clock: ManualClock) -> None:
    bucket = TokenBucket(10.0, 0.1, clock)
    waits = [bucket.take() for _ in range(3)]
    bucket.drain()
    assert bucket.take() == pytest.approx(waits[-1] + 0.1)
