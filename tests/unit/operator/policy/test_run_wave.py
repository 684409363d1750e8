import pytest

from podreduce_operator.model.actions import CreatePod
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.policy.run_wave import is_trying, next_look, next_ordinal, pods_by_task, run_wave
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary, make_shuffle
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task, reduce_task

M0, M1, R0, R1 = map_task(0), map_task(1), reduce_task(0), reduce_task(1)


TRYING: dict[str, tuple[PodView, bool]] = {
    "running": (make_pod(), True),
    "pending": (make_pod(phase=PodPhase.PENDING), True),
    "on a node that does not answer": (make_pod(phase=PodPhase.UNKNOWN), True),
    "failed": (make_failed_pod(), False),
    "terminating": (make_pod(deleting=True), False),
    "of an older generation": (make_pod(generation=4), False),
    "about to be deleted": (make_pod(uid="doomed"), False),
}


@pytest.mark.parametrize(("pod", "expected"), TRYING.values(), ids=TRYING.keys())
def test_pod_may_yet_commit(pod: PodView, expected: bool) -> None:
    assert is_trying(pod, M0, 0, {"doomed"}) is expected


def test_a_pod_tries_the_tasks_it_is_at_and_those_after_it() -> None:
    pod = make_pod(M1, tasks=(M0, M1, map_task(2)), sequence=1)
    tried = [task for task in pod.tasks if is_trying(pod, task, 0, set())]
    assert tried == [M1, map_task(2)]


def test_ordinals_start_at_1_and_follow_the_highest_seen() -> None:
    assert next_ordinal([], []) == 1
    assert next_ordinal([make_pod(ordinal=3, deleting=True)], [make_failure(ordinal=2)]) == 4
    assert next_ordinal([make_pod(ordinal=3)], [make_failure(ordinal=7)]) == 8


def test_reduces_already_running_may_finish_while_a_lost_map_is_made_again() -> None:
    failure = make_failure(R0, counted=False, reason="MapOutputLost", lost=(M0, 0))
    observed = make_observed(
        commits=[make_commit(M0), make_commit(M1)],
        shuffle=make_shuffle(partitions=2),
        failures=[failure],
        pods=(make_pod(R1),),
    )
    decision = run_wave(observed, make_plan_summary(partitions=2), 200.0)
    assert [str(action) for action in decision.actions] == ["create(m-0#1)"]


def test_verdict_tells_totals_and_the_next_attempt() -> None:
    verdict = run_wave(make_observed(failures=[make_failure(M0)]), make_plan_summary(), 101.0).verdict
    assert (verdict.map_total, verdict.reduce_total, verdict.next_attempt_at) == (2, 1, 105.0)


def test_pending_pod_takes_room() -> None:
    pods = (make_pod(M0, phase=PodPhase.PENDING),)
    decision = run_wave(make_observed(spec={"parallelism": 1}, pods=pods), make_plan_summary(), 1.0)
    assert decision.actions == ()


def test_pod_that_is_deleted_in_this_pass_makes_room() -> None:
    twin = make_pod(M0, ordinal=2)
    observed = make_observed(spec={"parallelism": 1}, pods=(twin,), commits=[make_commit(M0)])
    decision = run_wave(observed, make_plan_summary(), 51.0)
    assert [str(action) for action in decision.actions] == ["delete(m-0 beaten by a twin)", "create(m-1#1)"]


def test_next_look_is_the_earliest_of_what_time_will_change() -> None:
    waiting = make_pod(M1, phase=PodPhase.PENDING, reason="ErrImagePull", message="not found", created_at=100.0)
    observed = make_observed(
        spec={"activeDeadlineSeconds": 500},
        pods=(make_pod(M0), waiting),
        commits=[make_commit(M0, finished_at=90.0)],
    )
    looks = {95.0: 105.0, 105.0: 120.0, 121.0: 130.0, 140.0: 500.0}
    assert [now + (next_look(observed, [], now) or 0.0) for now in looks] == list(looks.values())
    assert next_look(observed, [150.0, 145.0], 140.0) == 5.0
    assert next_look(make_observed(), [], 140.0) is None


def test_pods_are_indexed_by_all_their_tasks() -> None:
    first, second = make_pod(M0), make_pod(M0, ordinal=2, tasks=(M0, R1))
    index = pods_by_task([first, second, make_pod(R0)])
    assert index[M0] == [first, second]
    assert index[R1] == [second]
    assert index[M1] == []


def test_ordinals_are_above_those_of_every_pod_that_has_one_of_the_tasks() -> None:
    """A pod's name is that of its first task, whichever it is at: no other may get that name."""
    going = make_pod(M1, ordinal=3, tasks=(M0, M1), sequence=1, deleting=True)
    observed = make_observed(pods=(going,), failures=[make_failure(M1, ordinal=3, attempt_id=going.attempt_id)])
    plan = make_plan_summary(tasks_per_pod=2)
    decision = run_wave(observed, plan, 200.0)
    assert [str(action) for action in decision.actions] == ["create(m-0#4)", "create(m-1#4)"]


def test_a_task_made_anew_shares_no_pod_with_the_others() -> None:
    lost = make_failure(R0, counted=False, reason="MapOutputLost", lost=(M1, 0))
    observed = make_observed(spec={"parallelism": 2}, failures=[lost])
    decision = run_wave(observed, make_plan_summary(shards=6, tasks_per_pod=9), 200.0)
    assert [str(action) for action in decision.actions] == ["create(m-0#1)", "create(m-1#1)"]


@pytest.mark.parametrize(("packs", "expected"), [(True, ["create(m-0#1..m-2)"]), (False, ["create(m-0#1)"])])
def test_on_one_machine_pods_take_several_tasks_only_if_told_to(packs: bool, expected: list[str]) -> None:
    limits = Limits(parallelism=1, speculates=False, packs=packs)
    observed = make_observed(limits=limits)
    plan = make_plan_summary(shards=3, tasks_per_pod="Auto")
    assert [str(action) for action in run_wave(observed, plan, 1.0).actions] == expected
    told = make_plan_summary(shards=3, tasks_per_pod=2)
    assert [str(action) for action in run_wave(observed, told, 1.0).actions] == ["create(m-0#1..m-1)"]


def test_reduces_are_packed_by_the_bytes_of_their_partitions() -> None:
    commits = [make_commit(M0), make_commit(M1)]
    large = make_shuffle(partitions=4, partition_bytes=(40 * 2**20,) * 4)
    plan = make_plan_summary(partitions=4, tasks_per_pod="Auto")
    observed = make_observed(spec={"parallelism": 1}, commits=commits, shuffle=large)
    assert [str(action) for action in run_wave(observed, plan, 100.0).actions] == ["create(r-0#1)"]
    small = make_observed(spec={"parallelism": 1}, commits=commits, shuffle=make_shuffle(partitions=4))
    assert [str(action) for action in run_wave(small, plan, 100.0).actions] == ["create(r-0#1..r-3)"]


def shuffle_generations(observed: Observed, plan: PlanSummary) -> list[int | None]:
    decision = run_wave(observed, plan, 100.0)
    return [action.shuffle_generation for action in decision.actions if isinstance(action, CreatePod)]


def test_only_attempts_that_will_reduce_are_told_which_manifest() -> None:
    commits = [make_commit(M0), make_commit(M1, generation=1)]
    lost = make_failure(R0, counted=False, reason="MapOutputLost", lost=(M1, 0))
    shuffle = make_shuffle(generation=1, partitions=2, map_generations=(0, 1))
    reduces = make_observed(spec={"parallelism": 1}, commits=commits, failures=[lost], shuffle=shuffle)
    assert shuffle_generations(make_observed(), make_plan_summary(is_small=True)) == [0]
    assert shuffle_generations(make_observed(spec={"parallelism": 1}), make_plan_summary(tasks_per_pod=2)) == [None]
    assert shuffle_generations(reduces, make_plan_summary(partitions=2, tasks_per_pod=2)) == [1]


@pytest.mark.parametrize(
    ("speculation", "pods", "expected"),
    [("Auto", (make_pod(M0),), 15.0), ("Never", (make_pod(M0),), None), ("Auto", (), None)],
    ids=["a pod runs", "no twins wanted", "no pod runs"],
)
def test_running_attempts_are_compared_every_fifteen_seconds(
    speculation: str, pods: tuple[PodView, ...], expected: float | None
) -> None:
    observed = make_observed(spec={"speculation": speculation}, pods=pods, limits=Limits())
    assert next_look(observed, [], 140.0) == expected


def test_a_pass_is_due_when_a_pod_with_raised_memory_is_given_up() -> None:
    pod = make_pod(map_task(0), ordinal=2, phase=PodPhase.PENDING, reason="Unschedulable", created_at=100.0)
    failures = [make_failure(map_task(0), reason="OutOfMemory", counted=False)]
    observed = make_observed(pods=(pod,), failures=failures, commits=[make_commit(map_task(1))])
    assert observed.plan is not None
    assert run_wave(observed, observed.plan, 150.0).wake_after == 250.0
