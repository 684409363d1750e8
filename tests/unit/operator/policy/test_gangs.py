from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from podreduce.contract.task import FailureRecord
from podreduce_operator.model.actions import CreatePod, DeletePod
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Observed
from podreduce_operator.model.pods import Gang, PodPhase, PodView
from podreduce_operator.pods.pod_names import gang_name, hash_run
from podreduce_operator.policy.gangs import awaits_more, find_broken, find_forming, join_gang, settled_at
from podreduce_operator.policy.run_wave import run_wave
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary, make_shuffle
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task

GANG = {"admission": "Gang"}
THREE = Gang(name=gang_name("wordcount", hash_run(JOB_UID, "1"), [(map_task(n), 1) for n in range(3)]), size=3)
ALONE = Limits(speculates=False)


def gated(index: int, gang: Gang | None = THREE, **fields: Any) -> PodView:
    """A pod that waits to be admitted."""
    return make_pod(map_task(index), phase=PodPhase.PENDING, reason="SchedulingGated", gang=gang, **fields)


def waiting(*pods: PodView, **spec: Any) -> Observed:
    """A job that wants gangs, with these pods."""
    return make_observed(spec=GANG | spec, pods=pods, limits=ALONE)


def make_creates(*indexes: int) -> list[CreatePod]:
    return [CreatePod(task=map_task(index), ordinal=1, generation=0) for index in indexes]


def gangs(creates: Sequence[CreatePod]) -> list[Gang | None]:
    return [create.gang for create in creates]


def test_pods_that_start_from_nothing_are_a_gang() -> None:
    assert gangs(join_gang(waiting(), {}, make_creates(0, 1, 2), is_idle=True)) == [THREE] * 3


def test_gangs_of_other_attempts_have_other_names() -> None:
    names = {gangs(join_gang(waiting(), {}, make_creates(*some), is_idle=True))[0] for some in ((0, 1), (0, 2), (0, 1))}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("spec", "indexes", "is_idle"),
    [(GANG, (0,), True), (GANG, (0, 1), False), ({"admission": "PerPod"}, (0, 1), True), (GANG, (), True)],
    ids=["one", "beside others", "not wanted", "none"],
)
def test_pods_are_admitted_by_themselves(spec: dict[str, Any], indexes: Sequence[int], is_idle: bool) -> None:
    joined = join_gang(make_observed(spec=spec), {}, make_creates(*indexes), is_idle=is_idle)
    assert joined == make_creates(*indexes)


def test_a_gang_that_lacks_pods_gets_them_and_the_others_go_by_themselves() -> None:
    observed = waiting(gated(0))
    joined = join_gang(observed, find_forming(observed), make_creates(1, 2, 3), is_idle=False)
    assert gangs(joined) == [THREE, THREE, None]


@pytest.mark.parametrize(
    ("pod", "forms"),
    [
        (gated(1), True),
        (gated(1, deleting=True), True),
        (make_pod(map_task(1), phase=PodPhase.PENDING, gang=THREE), False),
        (make_pod(map_task(1), phase=PodPhase.PENDING, gang=THREE, reason="Unschedulable"), False),
        (make_pod(map_task(1), gang=THREE, node="n"), False),
        (make_pod(map_task(1), gang=THREE, node="n", deleting=True), False),
        (make_pod(map_task(1), gang=THREE, node="n", phase=PodPhase.SUCCEEDED, finished_at=1.0), False),
        (make_pod(map_task(1), node="n"), True),
        (gated(1, gang=None), True),
    ],
    ids=["gated", "deleted", "admitted", "unschedulable", "running", "stopped", "done", "no member", "by itself"],
)
def test_a_gang_forms_until_one_of_it_is_admitted(pod: PodView, forms: bool) -> None:
    first = gated(0)
    members = [first, pod] if pod.gang and not pod.deleting else [first]
    assert find_forming(waiting(first, pod)) == ({THREE: members} if forms else {})


@pytest.mark.parametrize(
    ("spec", "more", "is_broken"),
    [(GANG, 2, False), (GANG, 1, True), (GANG, 0, True), ({"admission": "PerPod"}, 2, True)],
    ids=["enough", "one lacks", "two lack", "no longer wanted"],
)
def test_a_gang_is_broken_if_it_cannot_be_whole(spec: dict[str, Any], more: int, is_broken: bool) -> None:
    observed = waiting(gated(0), **spec)
    found = find_broken(observed, find_forming(observed), more=more, most=3)
    assert found == ([gated(0)] if is_broken else [])


@pytest.mark.parametrize(("most", "is_broken"), [(3, False), (2, True)])
def test_a_gang_that_is_whole_waits_unless_it_has_become_too_large(most: int, is_broken: bool) -> None:
    members = [gated(index) for index in range(3)]
    observed = waiting(*members)
    assert find_broken(observed, find_forming(observed), more=0, most=most) == (members if is_broken else [])


@pytest.mark.parametrize(("due_in", "expected"), [(0.0, False), (0.1, True), (5.0, True), (5.1, False)], ids=str)
def test_a_new_gang_waits_a_moment_for_what_is_due_soon(due_in: float, expected: bool) -> None:
    assert awaits_more(waiting(), [100.0 + due_in], 100.0, lacks_room=False) is expected
    assert awaits_more(waiting(), [100.0 + due_in], 100.0, lacks_room=True)
    assert not awaits_more(make_observed(), [100.0 + due_in], 100.0, lacks_room=True)


def taken(*at: float) -> list[FailureRecord]:
    """The failures of maps 0, 1, ... whose pods the queue took at these times."""
    return [
        make_failure(map_task(index), counted=False, reason="Disrupted", finished_at=time)
        for index, time in enumerate(at)
    ]


def test_after_a_preemption_the_whole_wave_starts_again_as_one_gang() -> None:
    observed = make_observed(spec=GANG, failures=taken(100.0, 100.5, 101.0), limits=ALONE)
    early = run_wave(observed, make_plan_summary(shards=3), 105.5)
    assert (early.actions, early.wake_after) == ((), 0.5)
    creates = run_wave(observed, make_plan_summary(shards=3), 106.0).actions
    assert [str(create) for create in creates] == [f"create(m-{index}#2 of 3)" for index in range(3)]


@pytest.mark.parametrize(
    ("admission", "now", "expected"),
    [("Gang", 104.5, []), ("Gang", 105.0, ["create(m-0#2)"]), ("PerPod", 101.0, ["create(m-0#2)"])],
    ids=["another may follow", "none has followed", "by itself"],
)
def test_the_place_of_a_pod_that_was_taken_is_filled_once_no_other_has_followed_it(
    admission: str, now: float, expected: list[str]
) -> None:
    observed = make_observed(
        spec={"admission": admission}, failures=taken(100.0), pods=[make_pod(map_task(1))], limits=ALONE
    )
    actions = run_wave(observed, make_plan_summary(shards=2), now).actions
    assert [str(action) for action in actions] == expected


def test_other_failures_hold_up_nothing() -> None:
    observed = waiting(make_pod(map_task(0)))
    assert settled_at(observed, [make_failure(map_task(1), finished_at=100.0)]) == 0.0
    assert settled_at(observed, taken(100.0, 99.0)) == 105.0


def test_reduces_are_a_gang_of_their_own_once_no_map_has_work_left() -> None:
    commits = [make_commit(map_task(index)) for index in range(2)]
    lingering = make_pod(map_task(1), started_at=0.0)
    shuffle = make_shuffle(partitions=2)
    observed = make_observed(spec=GANG, commits=commits, shuffle=shuffle, pods=[lingering], limits=ALONE)
    creates = run_wave(observed, make_plan_summary(shards=2), 1.0).actions
    assert [str(create) for create in creates] == ["create(r-0#1 of 2)", "create(r-1#1 of 2)"]


def test_reduces_wait_for_maps_that_still_take_their_room() -> None:
    commits = [make_commit(map_task(index)) for index in range(2)]
    lingering = make_pod(map_task(1), started_at=0.0)
    observed = make_observed(
        spec=GANG | {"parallelism": 2},
        commits=commits,
        shuffle=make_shuffle(partitions=2),
        pods=[lingering],
        limits=ALONE,
    )
    assert run_wave(observed, make_plan_summary(shards=2), 1.0).actions == ()
    gone = replace(observed, pods=())
    creates = run_wave(gone, make_plan_summary(shards=2), 1.0).actions
    assert [str(create) for create in creates] == ["create(r-0#1 of 2)", "create(r-1#1 of 2)"]


def test_a_gang_larger_than_the_parallelism_is_dissolved_before_another_forms() -> None:
    observed = waiting(gated(0), gated(1), parallelism=2)
    actions = run_wave(observed, make_plan_summary(shards=3), 1.0).actions
    assert [(action.task, action.why) for action in actions if isinstance(action, DeletePod)] == [
        (map_task(0), "gang is broken"),
        (map_task(1), "gang is broken"),
    ]
    assert len(actions) == 2
