from typing import Any

import pytest

from podreduce.contract.task import TaskRef
from podreduce_operator.model.actions import CreatePod
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Observed
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.policy.run_wave import run_wave
from podreduce_operator.policy.single_pod_jobs import (
    is_awaited,
    is_small_job,
    looks_at,
    whole_job,
    why_several_pods,
)
from podreduce_operator.policy.waves import find_wave
from tests.support.builders.jobs import make_raw_spec
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary, make_shuffle
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task, reduce_task

MIB = 2**20
M0, M1, R0, R1 = map_task(0), map_task(1), reduce_task(0), reduce_task(1)
ALLOWED = Limits(speculates=False)
TEMPLATE = {"podTemplate": {"spec": {"priorityClassName": "low"}}}


@pytest.mark.parametrize(
    ("spec", "size_bytes", "shards", "expected"),
    [
        ({}, 16 * MIB, 1, ""),
        ({}, 16 * MIB + 1, 1, "InputTooLarge: the input has 16,777,217 bytes, and one pod takes"),
        ({}, 0, 1, ""),
        ({}, 1, 3, ""),
        ({"map": {"shards": 1}, "reduce": {"partitions": 1}}, 1, 1, ""),
        ({"map": {"shards": 3}}, 1, 3, "SeveralTasksAsked: spec.map.shards asks for 3 map tasks, and the tasks of"),
        ({"map": {"shardSize": "1Mi"}}, MIB, 1, ""),
        ({"map": {"shardSize": "1Mi"}}, 2 * MIB, 2, "SeveralTasksAsked: spec.map.shardSize asks for 2 map tasks"),
        ({"reduce": {"partitions": 0}}, 1, 1, ""),
        ({"reduce": {"partitions": 2}}, 1, 1, "SeveralTasksAsked: spec.reduce.partitions asks for 2 reduce tasks"),
        (
            {"map": {"shards": 4}, "reduce": {"partitions": 2}},
            1,
            4,
            "SeveralTasksAsked: spec.map.shards asks for 4 map tasks and spec.reduce.partitions asks for 2 reduce",
        ),
        ({"map": TEMPLATE}, 1, 1, "OwnTemplate: spec.map.podTemplate is set"),
        ({"reduce": TEMPLATE}, 1, 1, "OwnTemplate: spec.reduce.podTemplate is set"),
        ({"podTemplate": TEMPLATE["podTemplate"]}, 1, 1, ""),
        ({"speculation": "Always"}, 1, 1, "SpeculationAlways: spec.speculation: Always wants"),
    ],
)
def test_a_small_job_runs_in_one_pod_by_default_or_says_why_not(
    spec: dict[str, Any], size_bytes: int, shards: int, expected: str
) -> None:
    raw = make_raw_spec(**spec)
    why = why_several_pods(raw, size_bytes, shards)
    assert is_small_job(raw, size_bytes, shards) is (why is None)
    told = "" if why is None else f"{why.reason}: {why.message}"
    assert told.startswith(expected)
    assert bool(told) == bool(expected)


def test_whoever_wants_a_pod_for_each_task_is_told_nothing() -> None:
    raw = make_raw_spec(execution="PerTask", map={"shards": 4})
    assert not is_small_job(raw, 1, 4)
    assert why_several_pods(raw, 1, 4) is None


def test_a_plan_older_than_the_field_starts_pods_as_it_began() -> None:
    old = {name: value for name, value in make_raw_spec().items() if name != "execution"}
    assert not is_small_job(old, 1, 1)
    assert why_several_pods(old, 1, 1) is None


def small(observed: Observed | None = None, *, shards: int = 2, partitions: int | None = 2) -> tuple[TaskRef, ...]:
    plan = make_plan_summary(shards=shards, partitions=partitions, is_small=True)
    return whole_job(observed or make_observed(), plan, [map_task(index) for index in range(shards)])


@pytest.mark.parametrize(
    ("shards", "partitions", "expected"),
    [
        (2, 2, (M0, M1, R0, R1)),
        (1, None, (M0, R0)),
        (2, 0, (M0, M1)),
        (1, 0, ()),
        (31, 1, 32),
        (32, 1, ()),
    ],
    ids=["planned", "one where the packing chooses", "map-only", "nothing to share", "most", "too many tasks"],
)
def test_one_pod_takes_all_maps_and_then_the_reduces(shards: int, partitions: int | None, expected: Any) -> None:
    found = small(shards=shards, partitions=partitions)
    assert (len(found) if isinstance(expected, int) else found) == expected


@pytest.mark.parametrize(
    "observed",
    [
        make_observed(commits=[make_commit(M1)]),
        make_observed(failures=[make_failure(M0)]),
        make_observed(limits=Limits(packs=False)),
        make_observed(spec={"speculation": "Always"}),
    ],
    ids=["something is committed", "something has failed", "on one machine", "clones are wanted"],
)
def test_a_whole_job_is_tried_once_and_only_where_that_helps(observed: Observed) -> None:
    assert small(observed) == ()


def test_a_whole_job_is_not_started_beside_an_attempt() -> None:
    plan = make_plan_summary(partitions=2, is_small=True)
    assert whole_job(make_observed(), plan, [M1]) == ()


def test_its_reduces_are_told_to_wait_for_the_first_manifest() -> None:
    plan = make_plan_summary(is_small=True)
    (create,) = run_wave(make_observed(limits=ALLOWED), plan, 0.0).actions
    assert isinstance(create, CreatePod)
    assert (create.awaits_shuffle, create.shuffle_generation, create.more_tasks) == (True, 0, (M1, R0))
    assert str(create) == "create(m-0#1..r-0)"


def test_a_map_only_pod_waits_for_nothing() -> None:
    plan = make_plan_summary(partitions=0, is_small=True)
    (create,) = run_wave(make_observed(limits=ALLOWED), plan, 0.0).actions
    assert isinstance(create, CreatePod)
    assert (create.awaits_shuffle, create.shuffle_generation) == (False, None)


def whole_pod(sequence: int = 0, **fields: Any) -> PodView:
    tasks = (M0, M1, R0)
    return make_pod(tasks[sequence], **{"uid": "u", "tasks": tasks, "sequence": sequence, "started_at": 0.0, **fields})


def test_the_packing_is_for_the_one_pod_that_waits() -> None:
    commits = [make_commit(M0, attempt_id="u-0"), make_commit(M1, attempt_id="u-1")]
    plan = make_plan_summary(partitions=None)
    waiting = find_wave(make_observed(commits=commits, pods=(whole_pod(2),)), plan, {}).step
    gone = find_wave(make_observed(commits=commits, spec={"parallelism": 7}), plan, {}).step
    assert [getattr(step, "parallelism", None) for step in (waiting, gone)] == [1, 7]


def test_reduces_of_a_pod_that_waits_get_no_pod_of_their_own() -> None:
    commits = [make_commit(M0, attempt_id="u-0"), make_commit(M1, attempt_id="u-1")]
    observed = make_observed(commits=commits, shuffle=make_shuffle(partitions=2), pods=(whole_pod(2),))
    actions = run_wave(observed, make_plan_summary(partitions=None), 60.0).actions
    assert [str(action) for action in actions] == ["create(r-1#1)"]


@pytest.mark.parametrize(
    ("pod", "now", "expected"),
    [
        (whole_pod(), 1.0, 0.25),
        (whole_pod(), 5.0, 0.25),
        (whole_pod(), 100.0, 5.0),
        (whole_pod(), 3600.0, 15.0),
        (whole_pod(1, started_at=99.0), 100.0, 0.25),
        (whole_pod(phase=PodPhase.PENDING, started_at=None, created_at=80.0), 100.0, 1.0),
        (whole_pod(deleting=True), 100.0, None),
        (make_pod(M0, tasks=(M0, M1)), 100.0, None),
    ],
    ids=["at first", "still", "less often", "often enough", "by the present turn", "pending", "going", "maps alone"],
)
def test_the_operator_looks_often_while_a_pod_needs_the_manifest(
    pod: PodView, now: float, expected: float | None
) -> None:
    found = looks_at(make_observed(pods=(pod,)), [], now)
    assert found == ([] if expected is None else [now + expected])
    assert looks_at(make_observed(pods=(pod,), shuffle=make_shuffle()), [], now) == []


def test_no_event_may_be_heard_of_a_pod_that_has_just_been_created() -> None:
    plan = make_plan_summary(is_small=True)
    assert run_wave(make_observed(limits=ALLOWED), plan, 0.0).wake_after == 0.25


def test_nobody_waits_once_the_manifest_is_frozen() -> None:
    assert is_awaited(make_observed(pods=(whole_pod(),)))
    assert not is_awaited(make_observed(pods=(whole_pod(),), shuffle=make_shuffle()))
    assert not is_awaited(make_observed(pods=(whole_pod(phase=PodPhase.FAILED),)))
