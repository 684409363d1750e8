"""What `make scale` makes of the times at which pods came and went."""

import pytest

from tests.scale.fake_tasks import Times
from tests.scale.figures import created_per_second, percentile, succession_delays
from tests.scale.status_size import status_bytes


def times(created: list[float], ended: list[float]) -> Times:
    return Times(
        created={f"c{index}": at for index, at in enumerate(created)},
        ended={f"e{index}": at for index, at in enumerate(ended)},
    )


def test_pods_a_second_are_counted_while_there_was_room() -> None:
    assert created_per_second(times([0.0, 0.5, 1.0, 60.0], []), room=3) == 2.0


@pytest.mark.parametrize("created", [[], [1.0]])
def test_one_pod_has_no_rate(created: list[float]) -> None:
    assert created_per_second(times(created, []), room=10) == 0.0


def test_each_end_makes_room_for_one_creation() -> None:
    seen = times(created=[0.0, 0.0, 5.25, 6.5], ended=[6.0, 5.0, 9.0, 9.0])
    assert succession_delays(seen, room=2) == [0.25, 0.5]


def test_where_there_always_was_room_no_pod_waited_for_another() -> None:
    assert succession_delays(times(created=[0.0, 2.0, 4.0], ended=[1.0, 3.0, 5.0]), room=2) == []


def test_percentiles_are_taken_from_what_there_is() -> None:
    ascending = [float(number) for number in range(100)]
    assert (percentile(ascending, 0.5), percentile(ascending, 0.99), percentile([], 0.5)) == (50.0, 99.0, None)


@pytest.mark.parametrize("tasks", [10, 1000, 20_000])
def test_a_status_stays_below_ten_kilobytes(tasks: int) -> None:
    assert status_bytes(tasks) < 10_000
