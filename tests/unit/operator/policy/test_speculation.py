from collections.abc import Sequence
from typing import Any

import pytest

from podreduce.contract.task import CommitRecord
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Observed
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodView
from podreduce_operator.policy.speculation import (
    Estimate,
    WaveSpeeds,
    choose_slow,
    count_allowed,
    find_slow,
    find_twins,
    speed_of_commit,
)
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary, make_shuffle
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task, reduce_task

MB = 1_000_000
NOW = 90.0
SIXTY_SECONDS: Sequence[CommitRecord] = [make_commit(map_task(n), started_at=0.0, finished_at=60.0) for n in range(9)]


def make_scene(
    fractions: dict[PodView, float], sizes: dict[int, int] | None = None, *, now: float = NOW, size: int = 128 * MB
) -> WaveSpeeds:
    progress = {
        pod.attempt_id: AttemptProgress(fraction=fraction, reported_at=now, changed_at=now)
        for pod, fraction in fractions.items()
    }
    tasks = {map_task(n): size for n in range(20)} | {map_task(n): own for n, own in (sizes or {}).items()}
    return WaveSpeeds(progress=progress, sizes=tasks, now=now)


def make_running(index: int, started_at: float = 0.0, **fields: Any) -> PodView:
    return make_pod(map_task(index), started_at=started_at, **fields)


def test_straggler_among_committed_gets_a_twin() -> None:
    straggler = make_running(9)
    assert choose_slow([straggler], SIXTY_SECONDS, make_scene({straggler: 0.25})) == [straggler]


@pytest.mark.parametrize("fraction", [0.6, 0.9, 1.0])
def test_attempt_that_will_end_about_as_soon_as_a_twin_gets_none(fraction: float) -> None:
    pod = make_running(9)
    assert choose_slow([pod], SIXTY_SECONDS, make_scene({pod: fraction})) == []


def test_task_with_more_work_is_not_taken_for_a_slow_one() -> None:
    heavy = make_running(9)
    speeds = make_scene({heavy: 0.25}, sizes={9: 4 * 128 * MB})
    assert choose_slow([heavy], SIXTY_SECONDS, speeds) == []


def test_young_attempt_is_not_judged() -> None:
    pod = make_running(9, started_at=NOW - 10)
    assert choose_slow([pod], SIXTY_SECONDS, make_scene({pod: 0.001})) == []


def test_straggler_among_the_running_gets_a_twin_before_any_is_committed() -> None:
    pods = [make_running(n) for n in range(8)]
    speeds = make_scene(dict.fromkeys(pods[1:], 0.8) | {pods[0]: 0.1})
    assert choose_slow(pods, [], speeds) == [pods[0]]


def test_the_one_that_ends_last_comes_first() -> None:
    pods = [make_running(n) for n in range(10, 13)]
    speeds = make_scene(dict(zip(pods, [0.2, 0.1, 0.15], strict=True)))
    many = [*SIXTY_SECONDS] * 2
    assert choose_slow(pods, many, speeds) == [pods[1], pods[2], pods[0]]


@pytest.mark.parametrize(("age", "expected"), [(119.0, False), (121.0, True)])
def test_without_reports_twice_the_usual_time_is_slow(age: float, expected: bool) -> None:
    pod = make_running(9, started_at=NOW - age)
    assert choose_slow([pod], SIXTY_SECONDS, make_scene({})) == ([pod] if expected else [])


def test_without_anything_to_compare_with_nobody_is_slow() -> None:
    assert choose_slow([make_running(0)], [], make_scene({})) == []
    assert choose_slow([], [], make_scene({})) == []


def test_empty_tasks_have_a_speed_too() -> None:
    pods = [make_running(n) for n in range(3)]
    assert choose_slow(pods, [], make_scene(dict.fromkeys(pods, 0.5), size=0)) == []


@pytest.mark.parametrize(
    ("room", "active", "twins", "expected"),
    [
        (5, 40, 0, 4),
        (5, 40, 3, 1),
        (5, 40, 4, 0),
        (2, 40, 0, 2),
        (5, 3, 0, 1),
        (5, 3, 1, 0),
        (0, 40, 0, 0),
        (5, 0, 9, 0),
    ],
)
def test_twins_are_a_tenth_of_the_running_and_at_least_one(room: int, active: int, twins: int, expected: int) -> None:
    assert count_allowed(room=room, active=active, twins=twins) == expected


def test_the_younger_of_two_attempts_is_the_twin() -> None:
    old, young, alone = make_running(0), make_running(0, ordinal=2, created_at=5.0), make_running(1)
    assert find_twins([young, alone, old]) == {young.uid}


def observe(spec: dict[str, Any], **fields: Any) -> Observed:
    return make_observed(spec=spec, **({"limits": Limits(), "plan": make_plan_summary(shards=10)} | fields))


def slow_of(observed: Observed, pods: Sequence[PodView], room: int = 5) -> Sequence[PodView]:
    tasks = {map_task(n): 0 for n in range(10)} | {reduce_task(n): 0 for n in range(3)}
    assert observed.plan is not None
    return find_slow(observed, observed.plan, tasks, pods, room=room, now=1000.0)


def test_always_clones_every_lonely_attempt_as_far_as_there_is_room() -> None:
    pods = [make_running(0), make_running(1), make_running(2, phase=PodPhase.PENDING), make_running(3)]
    twin = make_running(1, ordinal=2)
    assert slow_of(observe({"speculation": "Always"}), [*pods, twin], room=1) == [pods[0]]
    assert slow_of(observe({"speculation": "Always"}), [*pods, twin]) == [pods[0], pods[3]]


@pytest.mark.parametrize(
    ("spec", "limits"), [({"speculation": "Never"}, Limits()), ({"speculation": "Always"}, Limits(speculates=False))]
)
def test_nobody_gets_a_twin_where_that_is_not_wanted(spec: dict[str, Any], limits: Limits) -> None:
    assert slow_of(observe(spec, limits=limits), [make_running(0)]) == ()


def test_attempt_of_an_older_generation_gets_no_twin() -> None:
    assert slow_of(observe({"speculation": "Always"}), [make_running(0, generation=1)]) == ()


def test_reduces_are_measured_by_their_partition_and_compared_with_reduces() -> None:
    commits = [make_commit(map_task(n), started_at=0.0, finished_at=1.0) for n in range(10)]
    commits += [make_commit(reduce_task(n), started_at=0.0, finished_at=100.0) for n in range(2)]
    pod = make_pod(reduce_task(2), started_at=0.0)
    fair = make_shuffle(partitions=3, partition_bytes=(100, 100, 1000))
    unfair = make_shuffle(partitions=3, partition_bytes=(100, 100, 100))
    assert slow_of(observe({}, commits=commits, shuffle=fair), [pod]) == []
    assert slow_of(observe({}, commits=commits, shuffle=unfair), [pod]) == [pod]


def test_speeds_are_bytes_by_the_seconds_since_the_attempt_started() -> None:
    pod = make_running(0, started_at=40.0)
    speeds = make_scene({pod: 0.5}, {0: 1000})
    assert speeds.speed(pod) == 10.0
    assert speed_of_commit(make_commit(map_task(0), started_at=40.0, finished_at=60.0), speeds) == 50.0


@pytest.mark.parametrize("fraction", [None, 0.0])
def test_an_attempt_that_has_told_of_no_work_has_no_speed(fraction: float | None) -> None:
    pod = make_running(0)
    assert make_scene({} if fraction is None else {pod: fraction}).speed(pod) is None


def test_work_of_less_than_a_second_counts_as_a_second() -> None:
    pod = make_running(0, started_at=NOW)
    speeds = make_scene({pod: 1.0}, {0: 1000})
    assert speeds.speed(pod) == 1000.0
    assert speed_of_commit(make_commit(map_task(0), started_at=60.0, finished_at=60.0), speeds) == 1000.0


def test_an_empty_task_has_a_byte_of_work() -> None:
    speeds = make_scene({}, {0: 0})
    assert (speeds.size(map_task(0)), speeds.size(map_task(99))) == (1, 1)


@pytest.mark.parametrize(
    ("pod", "seconds"),
    [
        (make_running(0, started_at=80.0), 10.0),
        (make_running(0, started_at=100.0), 0.0),
        (make_running(0, phase=PodPhase.PENDING), 0.0),
    ],
    ids=["runs", "runs by a clock that is ahead", "waits"],
)
def test_an_attempt_is_as_old_as_its_start(pod: PodView, seconds: float) -> None:
    assert make_scene({}).age_seconds(pod) == seconds


@pytest.mark.parametrize(("left_seconds", "expected"), [(130.0, False), (130.1, True)])
def test_a_twin_is_worth_it_if_it_ends_earlier_by_a_quarter_and_its_start(left_seconds: float, expected: bool) -> None:
    found = Estimate(pod=make_running(0), speed=1.0, left_seconds=left_seconds, twin_seconds=100.0)
    assert found.is_worth_a_twin is expected
