"""Which commits are looked for between two listings."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from podreduce.contract.task import CommitRecord, TaskRef
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.runs.expected_commits import Expectation, Sighting
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task

M0, M1, M2 = map_task(0), map_task(1), map_task(2)


def look(
    *pods: PodView, commits: Mapping[TaskRef, CommitRecord] | None = None, failed: tuple[str, ...] = ()
) -> list[Sighting] | None:
    return Expectation().look_for(pods, commits or {}, failed)


ENDED = [
    pytest.param(make_pod(M0, phase=PodPhase.SUCCEEDED), id="succeeded"),
    pytest.param(make_pod(M0, phase=PodPhase.FAILED), id="failed"),
    pytest.param(make_pod(M0, phase=PodPhase.RUNNING, deleting=True), id="deleted while it ran"),
]


@pytest.mark.parametrize("pod", ENDED)
def test_an_attempt_that_ended_or_will_may_have_committed(pod: PodView) -> None:
    assert look(pod) == [(M0, 0)]


@pytest.mark.parametrize("phase", [PodPhase.PENDING, PodPhase.RUNNING])
def test_one_that_runs_is_looked_for_when_it_ends(phase: PodPhase) -> None:
    assert look(make_pod(M0, phase=phase)) == []


def test_what_is_known_is_not_looked_for() -> None:
    assert look(make_pod(M0, phase=PodPhase.SUCCEEDED), commits={M0: make_commit(M0)}) == []


def test_a_later_generation_is() -> None:
    pod = make_pod(M0, phase=PodPhase.SUCCEEDED, generation=1)
    assert look(pod, commits={M0: make_commit(M0)}) == [(M0, 1)]
    assert look(pod, commits={M0: make_commit(M0, generation=1)}) == []


def test_an_attempt_whose_failure_is_recorded_is_not_looked_for() -> None:
    pod = make_pod(M0, phase=PodPhase.FAILED)
    assert look(pod, failed=(pod.attempt_id,)) == []


PACKED = make_pod(M0, tasks=(M0, M1, M2), phase=PodPhase.RUNNING)


def test_a_pod_that_ended_may_have_committed_all_its_tasks() -> None:
    ended = replace(PACKED, phase=PodPhase.FAILED)
    assert look(ended, commits={M0: make_commit(M0)}) == [(M1, 0), (M2, 0)]


def test_one_that_failed_at_one_of_them_has_left_nothing_else() -> None:
    ended = replace(PACKED, phase=PodPhase.FAILED)
    assert look(ended, failed=(f"{PACKED.uid}-1",)) == []


def test_a_few_that_take_several_tasks_are_followed_as_they_go() -> None:
    assert look(PACKED) == [(M0, 0), (M1, 0), (M2, 0)]
    assert look(*(make_pod(map_task(at), tasks=(map_task(at), map_task(at + 500))) for at in range(60))) == []


def test_two_attempts_of_a_task_are_one_sighting() -> None:
    twins = [make_pod(M0, ordinal=ordinal, phase=PodPhase.SUCCEEDED) for ordinal in (1, 2)]
    assert look(*twins) == [(M0, 0)]


@pytest.mark.parametrize("phase", [PodPhase.RUNNING, PodPhase.FAILED])
def test_an_attempt_that_is_gone_before_its_end_was_known_has_all_listed(phase: PodPhase) -> None:
    expectation, stays = Expectation(), make_pod(M0)
    expectation.settle([stays, make_pod(M1, phase=phase)], {}, ())
    assert expectation.look_for([stays], {}, ()) is None
    assert expectation.look_for([stays], {}, ()) is None
    expectation.settle([stays], {}, ())
    assert expectation.look_for([stays], {}, ()) == []


def test_an_attempt_may_go_once_its_end_is_known() -> None:
    expectation, committed, failed = Expectation(), make_pod(M0), make_pod(M1)
    commits = {M0: make_commit(M0)}
    expectation.settle([committed, failed], commits, (failed.attempt_id,))
    assert expectation.look_for([], commits, (failed.attempt_id,)) == []


def test_an_attempt_may_go_if_its_task_was_committed_meanwhile() -> None:
    expectation = Expectation()
    expectation.settle([make_pod(M0)], {}, ())
    assert expectation.look_for([], {M0: make_commit(M0)}, ()) == []
