from typing import Any

import pytest

from podreduce.contract.task import TaskType
from podreduce_operator.cli.cluster.run_facts import status_of
from podreduce_operator.cli.cluster.throughput import Estimate, Throughput
from tests.support.job_manifests import GIBI, NOW, complete_job, make_tasks, running_job


def at(maps: int, reduces: int = 0) -> dict[str, Any]:
    """The running job's status with so many tasks committed, a quarter of a gibibyte each."""
    counters = {"podreduce": {"mapBytesIn": maps * GIBI // 4, "mapRecordsIn": maps * 1000}}
    tasks = {"map": make_tasks(maps, 16, active=4), "reduce": make_tasks(reduces, 4, active=1 if maps == 16 else 0)}
    return status_of(running_job()) | tasks | {"counters": counters}


def test_one_look_gives_the_average_since_the_start() -> None:
    speed = Throughput()
    speed.take(at(4), NOW)
    expected = Estimate(bytes_per_second=GIBI / 180, records_per_second=4000 / 180, seconds_left=540.0)
    assert speed.estimate(TaskType.MAP, at(4), NOW) == expected
    assert speed.estimate(TaskType.REDUCE, at(4), NOW) is None


@pytest.mark.parametrize("status", [{}, at(0), at(16), status_of(complete_job())], ids=["new", "none", "all", "over"])
def test_nothing_is_estimated_before_the_first_task_and_after_the_last(status: dict[str, Any]) -> None:
    speed = Throughput()
    speed.take(status, NOW)
    assert speed.estimate(TaskType.MAP, status, NOW) is None


def test_the_longer_it_is_watched_the_more_the_last_two_minutes_count() -> None:
    speed = Throughput()
    for second in range(0, 241, 10):
        speed.take(at(4 + second // 60), NOW + second)
    estimate = speed.estimate(TaskType.MAP, at(8), NOW + 240)
    assert estimate is not None
    assert estimate.seconds_left == pytest.approx(8 * 60, rel=0.2)


def test_reduces_are_estimated_from_what_is_seen_of_them() -> None:
    speed = Throughput()
    speed.take(at(16, 1), NOW)
    assert speed.estimate(TaskType.REDUCE, at(16, 1), NOW) is None
    speed.take(at(16, 2), NOW + 30)
    estimate = speed.estimate(TaskType.REDUCE, at(16, 2), NOW + 30)
    assert estimate is not None
    assert estimate.seconds_left == 60.0


def test_another_run_begins_again() -> None:
    speed = Throughput()
    speed.take(at(12), NOW)
    later = at(1) | {"runId": "2", "startTime": None}
    speed.take(later, NOW + 1)
    assert speed.estimate(TaskType.MAP, later, NOW + 1) is None
