"""Pods that take several tasks, and small jobs in one pod."""

from dataclasses import replace
from typing import Any

from podreduce.contract.task import CommitRecord
from podreduce_operator.model.observed import PlanSummary
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodView, Stage
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure, make_outcome
from tests.support.builders.tasks import map_task
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1, ONE, R0

__all__ = ["PACKING"]


def packed(tasks_per_pod: int | str, shards: int = 12) -> PlanSummary:
    """A plan of so many shards whose pods take several."""
    return make_plan_summary(shards=shards, tasks_per_pod=tasks_per_pod)


def make_sequence(*indexes: int, sequence: int = 0, **fields: Any) -> PodView:
    """A pod that takes these maps one after another, and is at the one of that number."""
    tasks = tuple(map(map_task, indexes))
    return replace(make_pod(tasks[0], **fields), tasks=tasks, task=tasks[sequence], sequence=sequence)


def done_by(pod: PodView, *, at: float = 50.0) -> list[CommitRecord]:
    """The commits of the tasks that the pod has done."""
    done = enumerate(pod.tasks[: pod.sequence])
    return [make_commit(task, attempt_id=f"{pod.uid}-{number}", finished_at=at) for number, task in done]


AT_ONE = make_sequence(0, 1, 2, sequence=1)
FAILED_AT_ONE = replace(AT_ONE, phase=PodPhase.FAILED, finished_at=100.0, exit_code=64, outcome=make_outcome())
KEPT_BOTH = {AT_ONE.attempt_ids[0]: Stage.DONE, AT_ONE.attempt_ids[1]: Stage.STARTED}
SMALL = make_plan_summary(is_small=True)
WHOLE = make_pod(M0, uid="whole", tasks=(M0, M1, R0), started_at=99.0)
WHOLE_AT_REDUCE = replace(WHOLE, task=R0, sequence=2, started_at=50.0)


PACKING = (
    Example(
        name="pods take several tasks where more wait than there is room for",
        observed=make_observed(spec={"parallelism": 2}, plan=packed(3)),
        now=0.0,
        expected="Mapping: create(m-0#1..m-2) create(m-3#1..m-5)",
    ),
    Example(
        name="pods take one task each while there is room for all",
        observed=make_observed(spec={"parallelism": 4}, plan=packed(3, shards=4)),
        now=0.0,
        expected="Mapping: create(m-0#1) create(m-1#1) create(m-2#1) create(m-3#1)",
    ),
    Example(
        name="without a number of its own a pod takes its share of the tasks",
        observed=make_observed(spec={"parallelism": 2}, plan=packed("Auto")),
        now=0.0,
        expected="Mapping: create(m-0#1..m-5) create(m-6#1..m-11)",
    ),
    Example(
        name="a task that waits for its turn in a pod gets no other attempt",
        observed=make_observed(plan=packed(3, shards=4), pods=(AT_ONE,), commits=done_by(AT_ONE), kept=KEPT_BOTH),
        now=60.0,
        expected="Mapping: create(m-3#1)",
    ),
    Example(
        name="a pod that fails gives back the tasks it has not come to",
        observed=make_observed(
            plan=packed(3, shards=3), pods=(FAILED_AT_ONE,), commits=done_by(AT_ONE), kept=KEPT_BOTH
        ),
        now=100.0,
        expected="Mapping: record(m-1 ProgramError) create(m-2#2)",
    ),
    Example(
        name="the task that failed waits for its delay and then has a pod to itself",
        observed=make_observed(
            plan=packed(3, shards=6),
            pods=(FAILED_AT_ONE,),
            commits=done_by(AT_ONE),
            failures=(make_failure(M1, attempt_id=AT_ONE.attempt_id),),
            kept=KEPT_BOTH,
            spec=ONE,
        ),
        now=105.0,
        expected="Mapping: create(m-1#2)",
    ),
    Example(
        name="a pod that a twin has beaten at its task gives back the rest",
        observed=make_observed(
            plan=packed(3, shards=3),
            pods=(AT_ONE,),
            commits=[*done_by(AT_ONE), make_commit(M1, attempt_id="twin-0")],
            kept=KEPT_BOTH,
        ),
        now=60.0,
        expected="Mapping: keep(1) delete(m-1 beaten by a twin) create(m-2#2); wake 20.0s",
    ),
    Example(
        name="a turn that is over is kept",
        observed=make_observed(
            plan=packed(3, shards=3),
            pods=(AT_ONE,),
            commits=done_by(AT_ONE),
            kept=dict.fromkeys(AT_ONE.attempt_ids, Stage.STARTED),
        ),
        now=60.0,
        expected="Mapping: keep(1)",
    ),
    Example(
        name="the ordinal of a pod is above that of each of its tasks",
        observed=make_observed(
            spec=ONE,
            plan=packed(3, shards=3),
            pods=(make_sequence(1, 2, ordinal=3, deleting=True),),
            failures=(make_failure(M1, ordinal=3, counted=False, reason="PodDeleted", finished_at=200.0),),
        ),
        now=200.0,
        expected="Mapping: create(m-0#4..m-2); wake 1.0s",
    ),
    Example(
        name="large tasks share no pod unless the job says so",
        observed=make_observed(spec=ONE, plan=replace(packed("Auto", shards=3), bytes=100 * 2**20)),
        now=0.0,
        expected="Mapping: create(m-0#1)",
    ),
    Example(
        name="a task that is made again shares no pod with the others",
        observed=make_observed(
            spec=ONE,
            plan=packed(9, shards=6),
            failures=(make_failure(R0, counted=False, reason="MapOutputLost", lost=(M1, 0)),),
        ),
        now=200.0,
        expected="Mapping: create(m-0#1)",
    ),
    Example(
        name="a pod that hangs keeps its tasks until it goes",
        observed=make_observed(
            plan=packed(3, shards=3),
            pods=(AT_ONE,),
            commits=done_by(AT_ONE),
            kept=KEPT_BOTH,
            progress={AT_ONE.attempt_id: AttemptProgress(fraction=0.1, reported_at=60.0, changed_at=60.0)},
        ),
        now=1860.0,
        expected="Mapping: record(m-1 NoProgress)",
    ),
    Example(
        name="a small job is one pod's, maps and reduces",
        observed=make_observed(plan=SMALL),
        now=0.0,
        expected="Mapping: create(m-0#1..r-0); wake 0.2s",
    ),
    Example(
        name="a small job has a pod for each task where attempts are to be cloned",
        observed=make_observed(plan=SMALL, spec={"speculation": "Always"}),
        now=0.0,
        expected="Mapping: create(m-0#1) create(m-1#1)",
    ),
    Example(
        name="a small job has a pod for each task once one has failed",
        observed=make_observed(plan=SMALL, failures=(make_failure(M0),)),
        now=200.0,
        expected="Mapping: create(m-0#2) create(m-1#1)",
    ),
    Example(
        name="the operator looks for the commits of a small job because no event tells of them",
        observed=make_observed(plan=SMALL, pods=(WHOLE,)),
        now=100.0,
        expected="Mapping: -; wake 0.2s",
    ),
    Example(
        name="the reduce of a small job waits for the manifest of its maps",
        observed=make_observed(
            plan=SMALL,
            pods=(WHOLE_AT_REDUCE,),
            commits=done_by(WHOLE_AT_REDUCE),
            kept={"whole-0": Stage.DONE, "whole-1": Stage.DONE, "whole-2": Stage.STARTED},
        ),
        now=100.0,
        expected="Mapping: freeze(0); wake 2.5s",
    ),
)
