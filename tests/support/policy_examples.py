"""Worlds and the decision that each must get, as the decision log shows it.

Read by the unit tests of decide, and by the mutants: a wrong policy is one that answers one of these differently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from podreduce.contract.task import CommitRecord, FailureRecord, LostOutput, TaskRef
from podreduce_operator.model.limits import Limits, PendingDeadlines
from podreduce_operator.model.observed import Observed, PlanSummary, RunState
from podreduce_operator.model.pods import AttemptProgress, Gang, PodPhase, PodView, Stage
from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_fault, make_observed, make_published
from tests.support.builders.plans import make_plan_summary, make_shuffle
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure, make_outcome, make_quarantine
from tests.support.builders.tasks import map_task, reduce_task

__all__ = ["RULES", "WORKED_EXAMPLE", "Example"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A world, a moment, and what to do then."""

    name: str
    observed: Observed
    now: float
    expected: str


ONE = {"parallelism": 1}
M0, M1, R0 = map_task(0), map_task(1), reduce_task(0)
BOTH = (make_commit(M0), make_commit(M1))
ALL = (*BOTH, make_commit(R0))
COMPLETE = RunState(run_id="1", started_at=0.0, terminal="Complete", reason="OutputCommitted", completed_at=300.0)
FAILED = RunState(run_id="1", started_at=0.0, terminal="Failed", reason="DeadlineExceeded", completed_at=300.0)
LOST = make_failure(R0, counted=False, reason="MapOutputLost", lost=(M1, 0))

SKIPPED = [make_commit(M0, quarantine=make_quarantine(3)), make_commit(M1, quarantine=make_quarantine(4))]
EXCESSIVE = make_failure(M0, counted=False, reason="TooManyBadRecords", bad_records=6)


def allowing(bad_records: int | None) -> dict[str, object]:
    """A spec that lets so many bad records pass."""
    return {"badRecords": "Skip", "maxBadRecords": bad_records}


def make_lost_part(task: TaskRef, number: int) -> FailureRecord:
    """The record of a committed part that the store has dropped, for the so-manyeth time."""
    return make_failure(
        task, ordinal=number, attempt_id=f"a{number}", counted=False, reason="UploadLost", lost=(task, number - 1)
    )


MISSING = make_outcome("MapOutputLost", lost=LostOutput(task=M1, generation=0))
DROPPED = make_failure(R0, ordinal=0, counted=False, reason="UploadLost", lost=(R0, 0))

GONE = make_failure(M0, counted=False, reason="Disrupted", finished_at=60.0)
IMPATIENT = Limits(pending=PendingDeadlines(unschedulable_seconds=60.0), speculates=False)


SIXTY_SECONDS = make_commit(M0, started_at=0.0, finished_at=60.0)


def moved_at(times: Mapping[TaskRef, float], fraction: float = 0.25) -> dict[str, AttemptProgress]:
    """Attempts that have done so much, and last moved at these times."""
    return {
        make_pod(task).attempt_id: AttemptProgress(fraction=fraction, reported_at=at, changed_at=at)
        for task, at in times.items()
    }


def make_gated(task: TaskRef) -> PodView:
    """A pod that waits to be admitted with another one."""
    return make_pod(task, phase=PodPhase.PENDING, reason="SchedulingGated", gang=Gang(name="g", size=2))


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

IGNORE_ERRORS = {"rules": [{"action": "Ignore", "onReasons": ["ProgramError"]}]}


def make_waiting_pod(
    task: TaskRef, reason: str = "Unschedulable", message: str = "0/2 nodes fit", scheduled_at: float | None = None
) -> PodView:
    return make_pod(task, phase=PodPhase.PENDING, reason=reason, message=message, scheduled_at=scheduled_at)


WORKED_EXAMPLE = [
    Example(name="nothing started", observed=make_observed(spec=ONE), now=90.0, expected="Mapping: create(m-0#1)"),
    Example(
        name="a pod fails",
        observed=make_observed(spec=ONE, pods=(make_failed_pod(M0),)),
        now=100.0,
        expected="Mapping: record(m-0 ProgramError) create(m-1#1)",
    ),
    Example(
        name="its record is visible",
        observed=make_observed(spec=ONE, pods=(make_failed_pod(M0), make_pod(M1)), failures=(make_failure(M0),)),
        now=101.0,
        expected="Mapping: -; wake 4.0s",
    ),
    Example(
        name="its backoff is over but there is no room",
        observed=make_observed(spec=ONE, pods=(make_failed_pod(M0), make_pod(M1)), failures=(make_failure(M0),)),
        now=105.0,
        expected="Mapping: -",
    ),
    Example(
        name="the other map is done",
        observed=make_observed(
            spec=ONE,
            pods=(make_failed_pod(M0), make_pod(M1, phase=PodPhase.SUCCEEDED, finished_at=110.0, exit_code=0)),
            failures=(make_failure(M0),),
            commits=(make_commit(M1),),
        ),
        now=110.0,
        expected="Mapping: keep(1) create(m-0#2) delete(m-1 committed)",
    ),
    Example(
        name="both maps are committed",
        observed=make_observed(spec=ONE, commits=BOTH),
        now=120.0,
        expected="Mapping: freeze(0)",
    ),
    Example(
        name="the shuffle is frozen",
        observed=make_observed(spec=ONE, commits=BOTH, shuffle=make_shuffle()),
        now=130.0,
        expected="Reducing: create(r-0#1)",
    ),
    Example(
        name="the reduce is committed",
        observed=make_observed(spec=ONE, commits=ALL, shuffle=make_shuffle()),
        now=140.0,
        expected="Committing: commit",
    ),
    Example(
        name="the output is published",
        observed=make_observed(
            spec=ONE, commits=ALL, shuffle=make_shuffle(), has_intent=True, published=make_published()
        ),
        now=150.0,
        expected="Complete/OutputCommitted: -",
    ),
    Example(
        name="the verdict is written",
        observed=make_observed(run=COMPLETE, has_intermediates=True, has_records=True, post_mortem=None),
        now=300.0,
        expected="Complete/OutputCommitted: clean post-mortem; wake 86400.0s",
    ),
]

RULES = [
    Example(name="no plan yet", observed=make_observed(plan=None), now=0.0, expected="Planning: plan"),
    Example(
        name="a run is named in the status before anything is done for it",
        observed=make_observed(plan=None, run=RunState(run_id="1")),
        now=0.0,
        expected="Planning: -; wake 0.0s",
    ),
    Example(
        name="chaos is refused",
        observed=make_observed(plan=None, spec={"chaos": {"killPercent": 11}}),
        now=0.0,
        expected="Failed/ChaosNotAllowed: -",
    ),
    Example(
        name="but where it is allowed",
        observed=make_observed(plan=None, spec={"chaos": {"killPercent": 11}}, limits=Limits(chaos=True)),
        now=0.0,
        expected="Planning: plan",
    ),
    Example(
        name="pods take several tasks where more wait than there is room for",
        observed=make_observed(spec={"parallelism": 2}, plan=packed(3)),
        now=0.0,
        expected="Mapping: create(m-0#1..m-2) create(m-3#1..m-5)",
    ),
    Example(
        name="but not while there is room for each",
        observed=make_observed(spec={"parallelism": 4}, plan=packed(3, shards=4)),
        now=0.0,
        expected="Mapping: create(m-0#1) create(m-1#1) create(m-2#1) create(m-3#1)",
    ),
    Example(
        name="of their own accord they take their share",
        observed=make_observed(spec={"parallelism": 2}, plan=packed("Auto")),
        now=0.0,
        expected="Mapping: create(m-0#1..m-5) create(m-6#1..m-11)",
    ),
    Example(
        name="tasks that wait for their turn get no other attempt",
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
        name="the failed one alone waits, and has a pod to itself then",
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
        name="large tasks share no pod of their own accord",
        observed=make_observed(spec=ONE, plan=replace(packed("Auto", shards=3), bytes=100 * 2**20)),
        now=0.0,
        expected="Mapping: create(m-0#1)",
    ),
    Example(
        name="a task that was made anew shares no pod with the others",
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
        name="but not where attempts are to be cloned",
        observed=make_observed(plan=SMALL, spec={"speculation": "Always"}),
        now=0.0,
        expected="Mapping: create(m-0#1) create(m-1#1)",
    ),
    Example(
        name="nor where one of its tasks has failed before",
        observed=make_observed(plan=SMALL, failures=(make_failure(M0),)),
        now=200.0,
        expected="Mapping: create(m-0#2) create(m-1#1)",
    ),
    Example(
        name="its commits are looked for, as no event tells of them",
        observed=make_observed(plan=SMALL, pods=(WHOLE,)),
        now=100.0,
        expected="Mapping: -; wake 0.2s",
    ),
    Example(
        name="its reduce waits for the manifest of its maps",
        observed=make_observed(
            plan=SMALL,
            pods=(WHOLE_AT_REDUCE,),
            commits=done_by(WHOLE_AT_REDUCE),
            kept={"whole-0": Stage.DONE, "whole-1": Stage.DONE, "whole-2": Stage.STARTED},
        ),
        now=100.0,
        expected="Mapping: freeze(0); wake 2.5s",
    ),
    Example(
        name="lower indexes first",
        observed=make_observed(spec={"parallelism": 2}, plan=make_plan_summary(shards=4)),
        now=0.0,
        expected="Mapping: create(m-0#1) create(m-1#1)",
    ),
    Example(
        name="the operator's limit holds where the job wants more",
        observed=make_observed(
            spec={"parallelism": 9}, plan=make_plan_summary(shards=4), limits=Limits(parallelism=1, speculates=False)
        ),
        now=0.0,
        expected="Mapping: create(m-0#1)",
    ),
    Example(
        name="without parallelism the operator's limit holds",
        observed=make_observed(plan=make_plan_summary(shards=4), limits=Limits(parallelism=3, speculates=False)),
        now=0.0,
        expected="Mapping: create(m-0#1) create(m-1#1) create(m-2#1)",
    ),
    Example(
        name="a lower parallelism lets running pods finish",
        observed=make_observed(
            spec=ONE, plan=make_plan_summary(shards=4), pods=tuple(make_pod(map_task(index)) for index in range(3))
        ),
        now=0.0,
        expected="Mapping: -",
    ),
    Example(
        name="the seventh counted failure waits for the longest delay",
        observed=make_observed(
            spec={"backoffLimitPerTask": 9},
            pods=(make_pod(M1),),
            failures=[make_failure(M0, ordinal=ordinal, attempt_id=f"a{ordinal}") for ordinal in range(1, 8)],
        ),
        now=100.0,
        expected="Mapping: -; wake 300.0s",
    ),
    Example(
        name="a disrupted attempt is made again after a second",
        observed=make_observed(pods=(make_pod(M1),), failures=(make_failure(M0, counted=False, reason="Disrupted"),)),
        now=100.5,
        expected="Mapping: -; wake 0.5s",
    ),
    Example(
        name="ordinals count records as well as pods",
        observed=make_observed(
            spec=ONE,
            pods=(make_failed_pod(M0, ordinal=2),),
            failures=(
                make_failure(M0, ordinal=2),
                make_failure(M0, ordinal=6, attempt_id="gone", finished_at=90.0),
            ),
        ),
        now=200.0,
        expected="Mapping: create(m-0#7)",
    ),
    Example(
        name="terminating pods count for ordinals and have failed",
        observed=make_observed(pods=(make_pod(M0, ordinal=3, deleting=True), make_pod(M1))),
        now=100.0,
        expected="Mapping: record(m-0 PodDeleted, free)",
    ),
    Example(
        name="a record is waited for before the pod goes",
        observed=make_observed(
            pods=(make_pod(M0, phase=PodPhase.PENDING, reason="InvalidImageName"), make_pod(M1)),
        ),
        now=1.0,
        expected="Mapping: record(m-0 ImageUnavailable, if it waits); wake 4.0s",
    ),
    Example(
        name="an image has its grace",
        observed=make_observed(pods=(make_waiting_pod(M0, "ErrImagePull", "not found"), make_pod(M1))),
        now=10.0,
        expected="Mapping/ImageUnavailable: -; wake 20.0s",
    ),
    Example(
        name="and no more than that",
        observed=make_observed(pods=(make_waiting_pod(M0, "ErrImagePull", "not found"), make_pod(M1))),
        now=30.0,
        expected="Mapping/ImageUnavailable: record(m-0 ImageUnavailable, if it waits)",
    ),
    Example(
        name="a pod may take its time to exit after its commit",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), commits=(make_commit(M0, finished_at=50.0),)),
        now=60.0,
        expected="Mapping: -; wake 20.0s",
    ),
    Example(
        name="but not for ever",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), commits=(make_commit(M0, finished_at=50.0),)),
        now=80.0,
        expected="Mapping: keep(1) delete(m-0 lingers after its commit)",
    ),
    Example(
        name="a twin that was slower goes",
        observed=make_observed(
            pods=(make_pod(M0, ordinal=2), make_pod(M1)), commits=(make_commit(M0, finished_at=50.0),)
        ),
        now=50.0,
        expected="Mapping: keep(1) delete(m-0 beaten by a twin); wake 30.0s",
    ),
    Example(
        name="of twelve failed pods the last ten stay",
        observed=make_observed(
            spec=ONE,
            plan=make_plan_summary(shards=12),
            pods=tuple(make_failed_pod(map_task(index), finished_at=100.0 - index) for index in range(12)),
            failures=[make_failure(map_task(index), finished_at=100.0 - index) for index in range(12)],
        ),
        now=101.0,
        expected=(
            "Mapping: keep(2) create(m-4#2) delete(m-10 failure recorded) delete(m-11 failure recorded); wake 1.0s"
        ),
    ),
    Example(
        name="a failed attempt of a committed task is no failure",
        observed=make_observed(pods=(make_failed_pod(M0), make_pod(M1)), commits=(make_commit(M0),)),
        now=100.0,
        expected="Mapping: keep(1) delete(m-0 committed)",
    ),
    Example(
        name="a map-only run has no second wave",
        observed=make_observed(commits=[make_commit(task, part=make_commit(R0).part, blob=None) for task in (M0, M1)]),
        now=100.0,
        expected="Committing: commit",
    ),
    Example(
        name="a reduce that misses a map output says which",
        observed=make_observed(commits=BOTH, shuffle=make_shuffle(), pods=(make_failed_pod(R0, outcome=MISSING),)),
        now=200.0,
        expected="Reducing: record(r-0 MapOutputLost m-1, free)",
    ),
    Example(
        name="a lost map output opens the next generation",
        observed=make_observed(commits=BOTH, shuffle=make_shuffle(), failures=(LOST,)),
        now=200.0,
        expected="Mapping: create(m-1#1)",
    ),
    Example(
        name="and of the manifest",
        observed=make_observed(
            commits=(make_commit(M0), make_commit(M1, generation=1)), shuffle=make_shuffle(), failures=(LOST,)
        ),
        now=200.0,
        expected="Mapping: freeze(1)",
    ),
    Example(
        name="an attempt of a lost generation goes",
        observed=make_observed(commits=BOTH, shuffle=make_shuffle(), failures=(LOST,), pods=(make_pod(M1),)),
        now=60.0,
        expected="Mapping: keep(1) delete(m-1 output lost) create(m-1#2); wake 20.0s",
    ),
    Example(
        name="a part that was dropped before the intent is made again",
        observed=make_observed(commits=ALL, shuffle=make_shuffle(), failures=(DROPPED,)),
        now=200.0,
        expected="Reducing: create(r-0#1)",
    ),
    Example(
        name="and then published",
        observed=make_observed(
            commits=(*BOTH, make_commit(R0, generation=1)), shuffle=make_shuffle(), failures=(DROPPED,)
        ),
        now=200.0,
        expected="Committing: commit",
    ),
    Example(
        name="a part that was dropped past the intent fails the run",
        observed=make_observed(
            commits=ALL, shuffle=make_shuffle(), has_intent=True, faults=(make_fault("UploadLost"),)
        ),
        now=200.0,
        expected="Failed/UploadLost: -",
    ),
    Example(
        name="pods that wait are told of after a while",
        observed=make_observed(pods=(make_waiting_pod(M0), make_pod(M1))),
        now=4.0,
        expected="Mapping: -; wake 1.0s",
    ),
    Example(
        name="with the scheduler's reason",
        observed=make_observed(pods=(make_waiting_pod(M0), make_pod(M1))),
        now=5.0,
        expected="Mapping/Unschedulable: -",
    ),
    Example(
        name="pods that wait for too long end the run",
        observed=make_observed(pods=(make_waiting_pod(M0), make_pod(M1)), limits=IMPATIENT),
        now=60.0,
        expected="Mapping/Unschedulable: record(m-0 Unschedulable, if it waits)",
    ),
    Example(
        name="by their record",
        observed=make_observed(
            pods=(make_pod(M1),), failures=(make_failure(M0, reason="Unschedulable", ends_job=True),)
        ),
        now=61.0,
        expected="Failed/Unschedulable: keep(1) delete(m-1 job failed)",
    ),
    Example(
        name="the first lack of memory gets more of it",
        observed=make_observed(pods=(make_pod(M1),), failures=(make_failure(M0, reason="OutOfMemory", counted=False),)),
        now=101.0,
        expected="Mapping: create(m-0#2 memory x1.5)",
    ),
    Example(
        name="and costs nothing",
        observed=make_observed(pods=(make_failed_pod(M0, reason="OutOfMemory"), make_pod(M1))),
        now=100.0,
        expected="Mapping: record(m-0 OutOfMemory, free)",
    ),
    Example(
        name="the second one costs an attempt",
        observed=make_observed(
            pods=(make_failed_pod(M0, ordinal=2, reason="OutOfMemory"), make_pod(M1)),
            failures=(make_failure(M0, reason="OutOfMemory", counted=False),),
        ),
        now=200.0,
        expected="Mapping: record(m-0 OutOfMemory)",
    ),
    Example(
        name="a failure that the job's policy ignores costs nothing",
        observed=make_observed(spec={"failurePolicy": IGNORE_ERRORS}, pods=(make_failed_pod(M0), make_pod(M1))),
        now=100.0,
        expected="Mapping: record(m-0 ProgramError, free)",
    ),
    Example(
        name="time without a node does not count against an image",
        observed=make_observed(
            pods=(make_waiting_pod(M0, "ErrImagePull", "not found", scheduled_at=90.0), make_pod(M1))
        ),
        now=100.0,
        expected="Mapping/ImageUnavailable: -; wake 20.0s",
    ),
    Example(
        name="the store's outages have a budget",
        observed=make_observed(
            pods=(make_pod(M1),),
            failures=[
                make_failure(M0, reason="StorageUnavailable", counted=False, attempt_id=str(n)) for n in range(20)
            ],
        ),
        now=101.0,
        expected="Failed/StorageUnavailable: keep(1) delete(m-1 job failed)",
    ),
    Example(
        name="a pod that does not end in its grace is waited for a while",
        observed=make_observed(pods=(make_pod(M0, deleting=True, vanishes_at=70.0), make_pod(M1)), failures=(GONE,)),
        now=99.0,
        expected="Mapping: create(m-0#2); wake 1.0s",
    ),
    Example(
        name="and then let go of",
        observed=make_observed(
            pods=(make_pod(M0, deleting=True, vanishes_at=70.0), make_pod(M0, ordinal=2), make_pod(M1)),
            failures=(GONE,),
        ),
        now=100.0,
        expected="Mapping: delete(m-0 lost with its node)",
    ),
    Example(
        name="also after the run's end",
        observed=make_observed(run=COMPLETE, pods=(make_pod(M0, deleting=True, vanishes_at=280.0),)),
        now=310.0,
        expected="Complete/OutputCommitted: delete(m-0 lost with its node)",
    ),
    Example(
        name="one that has ended is not its node's to let go",
        observed=make_observed(
            pods=(make_failed_pod(M0, deleting=True, vanishes_at=70.0), make_pod(M0, ordinal=2), make_pod(M1)),
            failures=(make_failure(M0, attempt_id=make_pod(M0).attempt_id),),
        ),
        now=1000.0,
        expected="Mapping: -",
    ),
    Example(
        name="an attempt that does not move is given up",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), progress=moved_at({M0: 0.0, M1: 1790.0})),
        now=1800.0,
        expected="Mapping: record(m-0 NoProgress); wake 1790.0s",
    ),
    Example(
        name="but not before its time",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), progress=moved_at({M0: 0.0, M1: 1790.0})),
        now=1799.0,
        expected="Mapping: -; wake 1.0s",
    ),
    Example(
        name="and its pod goes once that is recorded",
        observed=make_observed(
            pods=(make_pod(M0), make_pod(M1)), failures=(make_failure(M0, reason="NoProgress", finished_at=1800.0),)
        ),
        now=1801.0,
        expected="Mapping: keep(1) delete(m-0 failure recorded); wake 4.0s",
    ),
    Example(
        name="a straggler gets a twin",
        observed=make_observed(
            pods=(make_pod(M1),), commits=(SIXTY_SECONDS,), progress=moved_at({M1: 90.0}), limits=Limits()
        ),
        now=90.0,
        expected="Mapping: create(m-1#2 twin); wake 15.0s",
    ),
    Example(
        name="a slow one that will end before a twin could gets none",
        observed=make_observed(
            pods=(make_pod(M1),), commits=(SIXTY_SECONDS,), progress=moved_at({M1: 90.0}, 0.9), limits=Limits()
        ),
        now=90.0,
        expected="Mapping: -; wake 15.0s",
    ),
    Example(
        name="one of two does, where no more are allowed",
        observed=make_observed(
            plan=make_plan_summary(shards=3),
            pods=(make_pod(M1), make_pod(map_task(2))),
            commits=(SIXTY_SECONDS,),
            limits=Limits(),
        ),
        now=1000.0,
        expected="Mapping: create(m-1#2 twin); wake 15.0s",
    ),
    Example(
        name="nobody gets one while tasks wait for room",
        observed=make_observed(
            plan=make_plan_summary(shards=3),
            pods=(make_pod(M1),),
            commits=(SIXTY_SECONDS,),
            limits=Limits(parallelism=2),
        ),
        now=1000.0,
        expected="Mapping: create(m-2#1); wake 15.0s",
    ),
    Example(
        name="a twin waits for the backoff of its task, too",
        observed=make_observed(
            pods=(make_pod(M1, ordinal=2),),
            commits=(SIXTY_SECONDS,),
            failures=(make_failure(M1, finished_at=997.0),),
            limits=Limits(),
        ),
        now=1000.0,
        expected="Mapping: -; wake 15.0s",
    ),
    Example(
        name="pods that start from nothing are a gang",
        observed=make_observed(spec={"admission": "Gang"}),
        now=0.0,
        expected="Mapping: create(m-0#1 of 2) create(m-1#1 of 2)",
    ),
    Example(
        name="a gang that lost a pod while it waited gets another",
        observed=make_observed(
            spec={"admission": "Gang"},
            pods=(make_gated(M0),),
        ),
        now=0.0,
        expected="Mapping: create(m-1#1 of 2); wake 5.0s",
    ),
    Example(
        name="one that can never be whole is dissolved",
        observed=make_observed(
            spec={"admission": "Gang"},
            commits=(make_commit(M1),),
            pods=(make_gated(M0),),
        ),
        now=0.0,
        expected="Mapping: keep(1) delete(m-0 gang is broken); wake 5.0s",
    ),
    Example(
        name="so is one that is larger than the parallelism has become",
        observed=make_observed(
            spec={"admission": "Gang", "parallelism": 1},
            pods=(make_gated(M0), make_gated(M1)),
        ),
        now=0.0,
        expected="Mapping: keep(2) delete(m-0 gang is broken) delete(m-1 gang is broken); wake 5.0s",
    ),
    Example(
        name="a new gang waits for the room of pods that have done their work",
        observed=make_observed(
            spec={"admission": "Gang", "parallelism": 2},
            commits=(make_commit(M0), make_commit(M1)),
            shuffle=make_shuffle(partitions=3),
            pods=(make_pod(M1),),
        ),
        now=0.0,
        expected="Reducing: -; wake 80.0s",
    ),
    Example(
        name="a new gang waits for what is due a moment later",
        observed=make_observed(
            spec={"admission": "Gang"},
            failures=(make_failure(M0, counted=False, reason="StorageUnavailable", finished_at=97.0),),
        ),
        now=100.0,
        expected="Mapping: -; wake 2.0s",
    ),
    Example(
        name="where a pod of a gang was taken, nothing starts until no other has followed it for a while",
        observed=make_observed(
            spec={"admission": "Gang"},
            failures=(make_failure(M0, counted=False, reason="Disrupted", finished_at=98.0),),
        ),
        now=100.0,
        expected="Mapping: -; wake 3.0s",
    ),
    Example(
        name="not even a twin",
        observed=make_observed(
            spec={"admission": "Gang"},
            pods=(make_pod(M1, ordinal=2),),
            commits=(SIXTY_SECONDS,),
            failures=(make_failure(M1, counted=False, reason="Disrupted", finished_at=997.0),),
            limits=Limits(),
        ),
        now=1000.0,
        expected="Mapping: -; wake 2.0s",
    ),
    Example(
        name="that begins with the pass that sees the first of them go",
        observed=make_observed(spec={"admission": "Gang"}, pods=(make_pod(M0, deleting=True),)),
        now=100.0,
        expected="Mapping: record(m-0 PodDeleted, free); wake 5.0s",
    ),
    Example(
        name="pods of other runs go",
        observed=make_observed(spec=ONE, pods=(make_pod(M0, run_id="0"),)),
        now=0.0,
        expected="Mapping: delete(m-0 other run) create(m-0#1)",
    ),
    Example(
        name="suspended: pods go, and nothing starts",
        observed=make_observed(spec={"suspend": True}, pods=(make_pod(M0), make_failed_pod(M1))),
        now=100.0,
        expected="Suspended/Suspended: keep(1) delete(m-0 suspended)",
    ),
    Example(
        name="suspended before it was planned",
        observed=make_observed(spec={"suspend": True}, plan=None),
        now=100.0,
        expected="Suspended/Suspended: -",
    ),
    Example(
        name="suspended past the intent: forward",
        observed=make_observed(spec={"suspend": True}, commits=ALL, shuffle=make_shuffle(), has_intent=True),
        now=100.0,
        expected="Committing: commit",
    ),
    Example(
        name="the deadline ends a run",
        observed=make_observed(spec={"activeDeadlineSeconds": 60}, pods=(make_pod(M0),)),
        now=60.0,
        expected="Failed/DeadlineExceeded: keep(1) delete(m-0 job failed)",
    ),
    Example(
        name="the deadline is waited for",
        observed=make_observed(spec={"activeDeadlineSeconds": 60}, pods=(make_pod(M0), make_pod(M1))),
        now=59.0,
        expected="Mapping: -; wake 1.0s",
    ),
    Example(
        name="the deadline rests while suspended",
        observed=make_observed(spec={"activeDeadlineSeconds": 60, "suspend": True}),
        now=1000.0,
        expected="Suspended/Suspended: -",
    ),
    Example(
        name="the deadline is over past the intent: forward",
        observed=make_observed(spec={"activeDeadlineSeconds": 60}, commits=ALL, has_intent=True),
        now=1000.0,
        expected="Committing: commit",
    ),
    Example(
        name="the last attempt has failed",
        observed=make_observed(
            spec={"backoffLimitPerTask": 1},
            pods=(make_pod(M1),),
            failures=(make_failure(M0, attempt_id="a"), make_failure(M0, ordinal=2, attempt_id="b")),
        ),
        now=500.0,
        expected="Failed/BackoffLimitExceeded: keep(1) delete(m-1 job failed)",
    ),
    Example(
        name="one attempt is left",
        observed=make_observed(
            spec={"backoffLimitPerTask": 2},
            pods=(make_pod(M1),),
            failures=(make_failure(M0, attempt_id="a"), make_failure(M0, ordinal=2, attempt_id="b")),
        ),
        now=500.0,
        expected="Mapping: create(m-0#3)",
    ),
    Example(
        name="no attempt is made again with a limit of 0",
        observed=make_observed(spec={"backoffLimitPerTask": 0}, failures=(make_failure(M0),)),
        now=500.0,
        expected="Failed/BackoffLimitExceeded: -",
    ),
    Example(
        name="disrupted 49 times",
        observed=make_observed(
            pods=(make_pod(M1),),
            failures=[make_failure(M0, counted=False, ordinal=n, attempt_id=f"a{n}") for n in range(1, 50)],
        ),
        now=500.0,
        expected="Mapping: create(m-0#50)",
    ),
    Example(
        name="disrupted 50 times",
        observed=make_observed(
            failures=[make_failure(M0, counted=False, ordinal=n, attempt_id=f"a{n}") for n in range(1, 51)]
        ),
        now=500.0,
        expected="Failed/TooManyDisruptions: -",
    ),
    Example(
        name="its output was lost 49 times",
        observed=make_observed(
            commits=BOTH, shuffle=make_shuffle(), failures=[make_lost_part(R0, number) for number in range(1, 50)]
        ),
        now=5000.0,
        expected="Reducing: create(r-0#50)",
    ),
    Example(
        name="its output was lost 50 times",
        observed=make_observed(commits=BOTH, failures=[make_lost_part(R0, number) for number in range(1, 51)]),
        now=5000.0,
        expected="Failed/TooManyLostOutputs: -",
    ),
    Example(
        name="lost and disrupted are not added up",
        observed=make_observed(
            commits=BOTH,
            shuffle=make_shuffle(),
            failures=[
                *(make_lost_part(R0, number) for number in range(1, 50)),
                *(
                    make_failure(R0, counted=False, reason="Disrupted", ordinal=number, attempt_id=f"d{number}")
                    for number in range(50, 99)
                ),
            ],
        ),
        now=5000.0,
        expected="Reducing: create(r-0#99)",
    ),
    Example(
        name="a failure that repeating cannot mend",
        observed=make_observed(failures=(make_failure(M0, reason="InputError", ends_job=True),)),
        now=500.0,
        expected="Failed/InputError: -",
    ),
    Example(
        name="as many bad records as the job may skip",
        observed=make_observed(spec=allowing(7), commits=SKIPPED),
        now=100.0,
        expected="Mapping: freeze(0)",
    ),
    Example(
        name="one bad record more than the job may skip",
        observed=make_observed(spec=allowing(6), commits=SKIPPED[1:] + SKIPPED[:1], pods=(make_pod(R0),)),
        now=100.0,
        expected="Failed/TooManyBadRecords: keep(1) delete(r-0 job failed)",
    ),
    Example(
        name="a limit lowered while reduces run",
        observed=make_observed(spec=allowing(0), commits=SKIPPED, shuffle=make_shuffle()),
        now=100.0,
        expected="Failed/TooManyBadRecords: -",
    ),
    Example(
        name="a limit lowered past the intent is too late",
        observed=make_observed(spec=allowing(0), commits=[*SKIPPED, make_commit(R0)], has_intent=True),
        now=100.0,
        expected="Committing: commit",
    ),
    Example(
        name="without a limit any number of bad records is skipped",
        observed=make_observed(spec=allowing(None), commits=SKIPPED, failures=(EXCESSIVE,)),
        now=100.0,
        expected="Mapping: freeze(0)",
    ),
    Example(
        name="an attempt with too many bad records of its own is recorded, and uses up no attempt",
        observed=make_observed(
            spec=allowing(5),
            pods=(make_failed_pod(M0, outcome=make_outcome("TooManyBadRecords", bad_records=6)), make_pod(M1)),
        ),
        now=100.0,
        expected="Mapping: record(m-0 TooManyBadRecords, free)",
    ),
    Example(
        name="then it fails the job",
        observed=make_observed(spec=allowing(5), pods=(make_pod(M1),), failures=(EXCESSIVE,)),
        now=100.0,
        expected="Failed/TooManyBadRecords: keep(1) delete(m-1 job failed)",
    ),
    Example(
        name="unless the limit was raised meanwhile: it is made again",
        observed=make_observed(
            spec={**allowing(6), "backoffLimitPerTask": 0}, pods=(make_pod(M1),), failures=(EXCESSIVE,)
        ),
        now=101.0,
        expected="Mapping: create(m-0#2)",
    ),
    Example(
        name="a permanent fault",
        observed=make_observed(plan=None, faults=(make_fault("InputNotFound", permanent=True),)),
        now=0.0,
        expected="Failed/InputNotFound: -",
    ),
    Example(
        name="a permanent fault past the intent is waited out",
        observed=make_observed(commits=ALL, has_intent=True, faults=(make_fault("StorageDenied", permanent=True),)),
        now=0.0,
        expected="Committing/StorageDenied: -; wake 5.0s",
    ),
    Example(
        name="a fault that may pass",
        observed=make_observed(faults=(make_fault(),)),
        now=0.0,
        expected="Mapping/StorageUnavailable: -; wake 5.0s",
    ),
    Example(
        name="a missing Secret has its grace",
        observed=make_observed(plan=None, faults=(make_fault("StorageSecretNotFound", permanent=True),), is_blind=True),
        now=29.0,
        expected="Planning/StorageSecretNotFound: -; wake 5.0s",
    ),
    Example(
        name="a missing Secret fails a run that never began",
        observed=make_observed(plan=None, faults=(make_fault("StorageSecretNotFound"),), is_blind=True),
        now=30.0,
        expected="Failed/StorageSecretNotFound: -",
    ),
    Example(
        name="a planned run whose store cannot be read may be past its intent",
        observed=make_observed(
            job=make_job(status={"runId": "1", "planDigest": "0" * 64}),
            plan=None,
            faults=(make_fault("StorageDenied", permanent=True),),
            is_blind=True,
        ),
        now=1000.0,
        expected="Planning/StorageDenied: -; wake 5.0s",
    ),
    Example(
        name="nothing starts on a store that cannot be read",
        observed=make_observed(plan=None, faults=(make_fault(),), is_blind=True),
        now=0.0,
        expected="Planning/StorageUnavailable: -; wake 5.0s",
    ),
    Example(
        name="a replaced run's pods go first",
        observed=make_observed(plan=None, run_id="2", superseded="1", pods=(make_pod(M0), make_failed_pod(M1))),
        now=0.0,
        expected="Planning/Superseding: delete(m-0 other run) delete(m-1 other run)",
    ),
    Example(
        name="a replaced run's terminating pods are waited for",
        observed=make_observed(plan=None, run_id="2", superseded="1", pods=(make_pod(M0, deleting=True),)),
        now=0.0,
        expected="Planning/Superseding: -",
    ),
    Example(
        name="then it is discarded",
        observed=make_observed(plan=None, run_id="2", superseded="1"),
        now=0.0,
        expected="Planning/Superseding: discard(1)",
    ),
    Example(
        name="a run that has not begun cannot fail",
        observed=make_observed(
            plan=None, run_id="2", superseded="1", faults=(make_fault("StorageDenied", permanent=True),)
        ),
        now=0.0,
        expected="Planning/StorageDenied: -; wake 5.0s",
    ),
    Example(
        name="an ended run's running pods go",
        observed=make_observed(run=FAILED, pods=(make_pod(M0), make_pod(M1, deleting=True)), has_intermediates=True),
        now=310.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job ended)",
    ),
    Example(
        name="an ended run keeps failed pods until the ttl",
        observed=make_observed(run=FAILED, pods=(make_failed_pod(M0),), has_records=True),
        now=310.0,
        expected="Failed/DeadlineExceeded: -; wake 86390.0s",
    ),
    Example(
        name="after the ttl all goes",
        observed=make_observed(
            run=FAILED, pods=(make_failed_pod(M0),), has_records=True, spec={"ttlSecondsAfterFinished": 10}
        ),
        now=310.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job ended) remove",
    ),
    Example(
        name="records stay while a pod of theirs does",
        observed=make_observed(
            run=FAILED, pods=(make_pod(M0, deleting=True),), has_records=True, spec={"ttlSecondsAfterFinished": 10}
        ),
        now=310.0,
        expected="Failed/DeadlineExceeded: -",
    ),
    Example(
        name="an ended run whose store cannot be read is tidied later",
        observed=make_observed(run=COMPLETE, pods=(make_pod(M0),), is_blind=True, faults=(make_fault(),)),
        now=310.0,
        expected="Complete/OutputCommitted: delete(m-0 job ended)",
    ),
    Example(
        name="a terminal verdict outlives a new deadline",
        observed=make_observed(run=COMPLETE, spec={"activeDeadlineSeconds": 1}),
        now=310.0,
        expected="Complete/OutputCommitted: -",
    ),
    Example(
        name="what is known of new attempts is kept",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), kept={}),
        now=0.0,
        expected="Mapping: keep(2)",
    ),
    Example(
        name="and again when one has come further",
        observed=make_observed(
            pods=(make_pod(M0), make_pod(M1)),
            kept={make_pod(M0).attempt_id: Stage.CREATED, make_pod(M1).attempt_id: Stage.STARTED},
        ),
        now=0.0,
        expected="Mapping: keep(1)",
    ),
    Example(
        name="also of pods that others delete",
        observed=make_observed(
            pods=(make_pod(M0, deleting=True), make_pod(M1)),
            kept={make_pod(task).attempt_id: Stage.STARTED for task in (M0, M1)},
        ),
        now=0.0,
        expected="Mapping: record(m-0 PodDeleted, free) keep(1)",
    ),
    Example(
        name="suspended pods stop though nothing can be kept",
        observed=make_observed(spec={"suspend": True}, pods=(make_pod(M0),), faults=(make_fault(),)),
        now=0.0,
        expected="Suspended/StorageUnavailable: delete(m-0 suspended); wake 5.0s",
    ),
    Example(
        name="so do those of a failed job",
        observed=make_observed(spec={"activeDeadlineSeconds": 60}, pods=(make_pod(M0),), faults=(make_fault(),)),
        now=60.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job failed)",
    ),
    Example(
        name="the post-mortem tells of pods that stay",
        observed=make_observed(run=FAILED, pods=(make_failed_pod(M0),), has_records=True, post_mortem=None),
        now=310.0,
        expected="Failed/DeadlineExceeded: post-mortem; wake 86390.0s",
    ),
    Example(
        name="and waits for those that run",
        observed=make_observed(run=FAILED, pods=(make_pod(M0, deleting=True),), post_mortem=None),
        now=310.0,
        expected="Failed/DeadlineExceeded: -",
    ),
    Example(
        name="a fault is no time for it",
        observed=make_observed(run=FAILED, has_intermediates=True, post_mortem=None, faults=(make_fault(),)),
        now=310.0,
        expected="Failed/DeadlineExceeded: clean; wake 5.0s",
    ),
    Example(
        name="after the ttl it is too late for it",
        observed=make_observed(
            run=FAILED,
            pods=(make_failed_pod(M0),),
            has_records=True,
            post_mortem=None,
            spec={"ttlSecondsAfterFinished": 10},
        ),
        now=310.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job ended) remove",
    ),
    Example(
        name="a run that was never planned has none",
        observed=make_observed(run=FAILED, plan=None, post_mortem=None),
        now=310.0,
        expected="Failed/DeadlineExceeded: -",
    ),
    Example(
        name="nor one whose end nobody asks about",
        observed=make_observed(run=COMPLETE, post_mortem=None, limits=Limits(post_mortem_of=frozenset({"Failed"}))),
        now=310.0,
        expected="Complete/OutputCommitted: -",
    ),
]
