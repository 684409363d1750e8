"""What the operator has observed of a job: the input of `decide`."""

from collections.abc import Iterable, Mapping
from typing import Any

from podreduce.contract.task import CommitRecord, FailureRecord, TaskRef
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Fault, Observed, PostMortemView, PublishedOutput, RunState
from podreduce_operator.pods.pod_names import hash_run
from podreduce_operator.policy.attempt_record import stage_of
from podreduce_operator.runs.counter_sums import CounterSums
from tests.support.builders.jobs import JOB_UID, make_job
from tests.support.builders.plans import make_plan_summary

__all__ = ["make_fault", "make_observed", "make_post_mortem_view", "make_published"]


def make_published() -> PublishedOutput:
    return PublishedOutput(uri="s3://corpus/counts/", records=1, bytes=10)


def make_post_mortem_view() -> PostMortemView:
    return PostMortemView(uri="s3://work/run/post-mortem.json", attempts_uri="s3://work/run/attempts.parquet")


def make_fault(reason: str = "StorageUnavailable", *, permanent: bool = False) -> Fault:
    return Fault(reason=reason, message=f"{reason}: of the test's making", permanent=permanent)


def make_observed(
    *,
    spec: Mapping[str, Any] | None = None,
    run_id: str = "1",
    run: RunState | None = None,
    commits: Iterable[CommitRecord] = (),
    failures: Iterable[FailureRecord] = (),
    **fields: Any,
) -> Observed:
    """The default job's world: planned (two shards, one partition), started at 0, no speculation, nothing else.

    Of its attempts all is kept that could be so far, and where it has ended its story is told.
    """
    is_ended = run is not None and run.terminal is not None
    defaults: dict[str, Any] = {
        "job": make_job(spec=spec),
        "plan": make_plan_summary(),
        "limits": Limits(speculates=False),
        "kept": {pod.attempt_id: stage_of(pod) for pod in fields.get("pods", ())},
        "post_mortem": make_post_mortem_view() if is_ended else None,
    }
    commits, counters = list(commits), CounterSums()
    for commit in commits:
        counters.add(commit.counters)
    by_task: dict[TaskRef, tuple[FailureRecord, ...]] = {}
    for failure in failures:
        by_task[failure.task] = (*by_task.get(failure.task, ()), failure)
    return Observed(
        run_id=run_id,
        run_hash=hash_run(JOB_UID, run_id),
        run=run or RunState(run_id=run_id, started_at=0.0),
        counters=counters.sums,
        commits={commit.task: commit for commit in commits},
        failures=by_task,
        **(defaults | fields),
    )
