from dataclasses import replace

import pytest

from podreduce_operator.model.actions import Action, CreatePod, DeletePod, KeepAttempts, RecordFailure
from podreduce_operator.model.decisions import Decision, Phase, Verdict
from podreduce_operator.model.observed import Observed, RunState
from podreduce_operator.model.pods import PodPhase, Stage
from podreduce_operator.policy.attempt_snapshots import keep_attempts
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_failure
from tests.support.builders.tasks import map_task

POD = make_pod()
CREATE = CreatePod(task=map_task(1), ordinal=1, generation=0)
RECORD = RecordFailure(record=make_failure())
DELETE = DeletePod(name=POD.name, uid=POD.uid, task=POD.task, why="committed")
ENDED = RunState(run_id="1", started_at=0.0, terminal="Failed", completed_at=100.0)


def decide(*actions: Action) -> Decision:
    return Decision(actions=actions, verdict=Verdict(phase=Phase.MAPPING), wake_after=3.0)


def kept(decision: Decision) -> KeepAttempts:
    return next(action for action in decision.actions if isinstance(action, KeepAttempts))


@pytest.mark.parametrize(
    ("actions", "place"),
    [((RECORD,), 1), ((RECORD, DELETE, CREATE), 1), ((DELETE,), 0), ((RECORD, CREATE, DELETE), 1)],
    ids=["no pod comes or goes", "after records", "first of all", "before a pod that comes"],
)
def test_attempts_are_kept_right_before_the_first_pod_comes_or_goes(actions: tuple[Action, ...], place: int) -> None:
    decision = keep_attempts(decide(*actions), make_observed(pods=(POD,), kept={}), 7.0)
    assert isinstance(decision.actions[place], KeepAttempts)
    assert tuple(action for action in decision.actions if not isinstance(action, KeepAttempts)) == actions
    assert decision.wake_after == 3.0


def test_what_is_kept_of_a_doomed_pod_says_why_it_goes() -> None:
    other = make_pod(map_task(1))
    decision = keep_attempts(decide(DELETE), make_observed(pods=(POD, other), kept={}), 7.0)
    told = {record.attempt_id: (record.deleted_at, record.why_deleted) for record in kept(decision).attempts}
    assert told == {POD.attempt_id: (7.0, "committed"), other.attempt_id: (None, "")}


@pytest.mark.parametrize(
    ("known", "phase", "expected"),
    [
        (None, PodPhase.PENDING, True),
        (Stage.CREATED, PodPhase.PENDING, False),
        (Stage.CREATED, PodPhase.RUNNING, True),
        (Stage.STARTED, PodPhase.SUCCEEDED, False),
        (Stage.GONE, PodPhase.RUNNING, False),
    ],
    ids=["unknown", "still pending", "started since", "no further", "seen late"],
)
def test_an_attempt_is_kept_again_when_it_has_come_further(
    known: Stage | None, phase: PodPhase, expected: bool
) -> None:
    pod = make_pod(phase=phase)
    observed = make_observed(pods=(pod,), kept={} if known is None else {pod.attempt_id: known})
    assert bool(keep_attempts(decide(), observed, 7.0).actions) is expected


OBSERVED = make_observed(pods=(POD,), kept={})


@pytest.mark.parametrize(
    "observed",
    [
        replace(OBSERVED, faults=(make_fault(),)),
        replace(OBSERVED, plan=None),
        make_observed(pods=(POD,), kept={}, run=ENDED),
        make_observed(pods=(POD,), kept={}, run=ENDED, post_mortem=None, spec={"ttlSecondsAfterFinished": 1}),
        make_observed(pods=(make_pod(run_id="0"),), kept={}),
    ],
    ids=["a fault", "no plan", "the story is told", "after the ttl", "another run's pods"],
)
def test_nothing_is_kept_where_there_is_no_story_to_tell(observed: Observed) -> None:
    decision = decide(DELETE)
    assert keep_attempts(decision, observed, 200.0) is decision


def test_pods_that_an_ended_run_deletes_are_kept_until_its_story_is_told() -> None:
    observed = make_observed(pods=(POD,), run=ENDED, post_mortem=None)
    assert str(keep_attempts(decide(DELETE), observed, 200.0)) == "Mapping: keep(1) delete(m-0 committed); wake 3.0s"


def test_each_turn_of_a_pod_is_kept_once_it_is_over() -> None:
    pod = make_pod(map_task(2), uid="u", tasks=tuple(map(map_task, range(4))), sequence=2, started_at=30.0)
    observed = make_observed(pods=(pod,), kept={"u-0": Stage.STARTED, "u-1": Stage.DONE})
    records = kept(keep_attempts(decide(), observed, 40.0)).attempts
    assert [(str(one.task), one.attempt_id, one.phase) for one in records] == [
        ("m-0", "u-0", "Succeeded"),
        ("m-2", "u-2", "Running"),
    ]


def test_turns_that_are_over_are_not_kept_again_when_their_pod_goes() -> None:
    pod = make_pod(map_task(1), uid="u", tasks=(map_task(0), map_task(1)), sequence=1)
    observed = make_observed(pods=(pod,), kept={"u-0": Stage.DONE, "u-1": Stage.STARTED})
    delete = DeletePod(name=pod.name, uid=pod.uid, task=pod.task, why="job failed", sequence=1)
    (record,) = kept(keep_attempts(decide(delete), observed, 40.0)).attempts
    assert (record.attempt_id, record.why_deleted) == ("u-1", "job failed")
