"""The scheduling policy of MapReducePipelines: one pure function, as `decide` is for jobs.

The policy
----------
A step is complete because its record says so, never because of what happened before. So restart, retry from the failed
step and "run only what changed" are one rule.

1. A terminal run is final. After `ttlSecondsAfterFinished` its outputs without a URI are removed, unless another
   pipeline of its schedule uses them by then.
2. The unfinished jobs of another run are deleted, and awaited, before anything else is done: two runs must not write to
   one place.
3. The run is pinned: its spec, its programs and the listings of its objects no longer change. A pipeline that is not
   valid fails here, before any step. The jobs of earlier runs are deleted then: their outputs have records.
4. Each complete job is recorded before anything else is decided, also while the run is suspended or fails. A record
   makes its work reusable; an older record of the same step says nothing any more.
5. After the deadline the jobs are deleted and the run fails. A suspended run has suspended jobs and starts nothing.
6. A failed step ends the run as `onStepFailure` says: `FinishRunning` starts nothing more and lets running steps end,
   `Stop` deletes them, `FinishPossible` goes on with every step that does not wait for the failed one.
7. A running job whose inputs must be made again is deleted. The run is complete when no step has to run (`freshness`),
   every loop has ended, and its last output is published.
8. Otherwise the steps that can run share the slots by rank (`ranks`, `shares`). Shares are lowered first, then raised,
   and then jobs are created.
9. An output that is no result is removed when no unfinished step needs it, if the pipeline asks for that. Of a loop
   only the last two iterations are kept, unless it keeps all. A job that has kept its map output for later iterations
   (`carried_maps`) stays until its loop or the run has ended.

Without the store no verdict is given, because records are evidence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from podreduce.contract.texts import render_count
from podreduce_operator.model.observed import Fault
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.pipelines import (
    CreateStep,
    Data,
    DeleteStepJob,
    PinPipeline,
    PipelineAction,
    PipelineDecision,
    PipelineObserved,
    PipelinePhase,
    PipelineVerdict,
    PublishLoop,
    RecordStep,
    SetShare,
    SetSuspend,
    StepJob,
)
from podreduce_operator.pipelines.carried_maps import find_kept_maps
from podreduce_operator.pipelines.freshness import State
from podreduce_operator.pipelines.loops import LoopEnd, LoopError
from podreduce_operator.pipelines.picture import Picture, look_at
from podreduce_operator.pipelines.shares import Claim, divide_slots
from podreduce_operator.policy.pipeline_retention import remove_after_ttl, remove_unneeded

__all__ = ["decide_pipeline"]

RETRY_SECONDS = 5.0
"""The pause after something could not be done for now."""
MOST_MADE = 2
"""How often one run makes a step whose output somebody replaces."""


def decide_pipeline(observed: PipelineObserved, now: float) -> PipelineDecision:
    """Decide what to do about one pipeline at `now` (seconds since the epoch)."""
    decision = take_step(observed, now)
    fault = next(iter(observed.faults), None)
    if fault is None or decision.verdict.is_terminal:
        return decision
    verdict = replace(decision.verdict, reason=fault.reason, message=fault.message)
    return PipelineDecision(verdict=verdict, wake_after=RETRY_SECONDS)


def take_step(observed: PipelineObserved, now: float) -> PipelineDecision:
    """Clean up a terminal run, end the run, or take its next step."""
    if observed.run.terminal is not None:
        return clean_up(observed, now)
    foreign = [job for job in observed.jobs if job.run != observed.run_hash and job.ended is None]
    if foreign:
        actions = tuple(delete_all(foreign, "another run"))
        return PipelineDecision(verdict=PipelineVerdict(phase=PipelinePhase.STARTING), actions=actions)
    if observed.is_store_unreadable:
        return PipelineDecision(verdict=PipelineVerdict(phase=PipelinePhase.RUNNING), wake_after=RETRY_SECONDS)
    if not observed.digests:
        return begin(observed)
    unrecorded = [job for job in observed.run_jobs if job.ended == "Complete" and not is_recorded(job, observed)]
    if unrecorded:
        records = tuple(RecordStep(job=job) for job in unrecorded)
        return PipelineDecision(verdict=PipelineVerdict(phase=PipelinePhase.RUNNING), actions=records, wake_after=0.0)
    return proceed(observed, now)


def begin(observed: PipelineObserved) -> PipelineDecision:
    """Pin the run, or fail because it cannot be pinned."""
    fault = next((fault for fault in observed.faults if fault.permanent), None)
    if fault is not None:
        return fail(fault.reason, fault.message)
    verdict = PipelineVerdict(phase=PipelinePhase.STARTING)
    if observed.run.started_at is None:
        return PipelineDecision(verdict=verdict, wake_after=0.0)
    past = [job for job in observed.jobs if job.run != observed.run_hash]
    return PipelineDecision(verdict=verdict, actions=(PinPipeline(), *delete_all(past, "an earlier run")))


def proceed(observed: PipelineObserved, now: float) -> PipelineDecision:
    """Take the next step of a pinned run."""
    spec, started_at = observed.pipeline.spec, observed.run.started_at
    running = [job for job in observed.run_jobs if job.ended is None]
    if spec.suspend:
        return suspend(running)
    if spec.active_deadline_seconds is not None and started_at is not None:
        seconds_left = started_at + spec.active_deadline_seconds - now
        if seconds_left <= 0:
            message = f"the run took longer than its activeDeadlineSeconds: {spec.active_deadline_seconds}"
            return end_failed(running, Fault(reason="DeadlineExceeded", message=message, permanent=True), stops=True)
    try:
        picture = look_at(observed)
    except LoopError as error:
        fault = Fault(reason="ConvergenceValueMissing", message=str(error), permanent=True)
        return end_failed(running, fault, stops=spec.on_step_failure == "Stop")
    return run_steps(observed, picture, running)


def run_steps(observed: PipelineObserved, picture: Picture, running: list[StepJob]) -> PipelineDecision:
    """Let steps run, or end the run as complete or failed."""
    policy = observed.pipeline.spec.on_step_failure
    fault, failed = find_failure(observed, picture)
    blocked = picture.below(failed)
    if fault is not None and (policy != "FinishPossible" or not failed):
        states = describe_end(observed, picture, blocked, failed)
        return end_failed(running, fault, stops=policy == "Stop", states=states)
    overtaken = [job for job in running if picture.states.get(str(job.place)) is not State.RUN]
    if fault is None and picture.is_done and not overtaken:
        return complete(observed, picture)
    claims = list(claim_slots(observed, picture, blocked))
    if fault is not None and not claims:
        return end_failed(running, fault, stops=False, states=describe_end(observed, picture, blocked, failed))
    parallelism = observed.parallelism - sum(max(job.share, job.active) for job in overtaken)
    deletions = (*delete_all(overtaken, "input changed"), *redo(observed, picture))
    gone = {action.job.uid for action in deletions}
    left = [job for job in observed.run_jobs if job.uid not in gone]
    actions = (*deletions, *change_shares(picture, claims, parallelism, left))
    removals = tuple(remove_unneeded(observed, picture))
    verdict = PipelineVerdict(
        phase=PipelinePhase.RUNNING,
        states=describe_states(observed, picture, blocked, failed),
        critical_path=picture.critical_path,
        seconds_left=max(picture.ranks.values(), default=0.0),
    )
    return PipelineDecision(verdict=verdict, actions=(*actions, *removals))


def find_failure(observed: PipelineObserved, picture: Picture) -> tuple[Fault | None, list[str]]:
    """Return why the run cannot be complete, and the failed nodes; no nodes if the whole run is at fault."""
    for loop in observed.pipeline.spec.loops:
        if loop.at_limit == "Fail" and picture.unrolled.loops[loop.name].end is LoopEnd.LIMIT_REACHED:
            often = render_count(loop.max_iterations, "iteration")
            message = f"the loop {loop.name} has not converged in {often} (atLimit: Fail)"
            return Fault(reason="LoopLimitReached", message=message, permanent=True), []
    for name, record in observed.records.items():
        is_replaced = observed.data.get(name) is Data.REPLACED and observed.is_own(record)
        if is_replaced and record.times >= MOST_MADE:
            message = (
                f"somebody else writes to the output of the step {name}: {record.output_uri}; give it its own place"
            )
            return Fault(reason="OutputChanged", message=message, permanent=True), []
    failed = [job for job in observed.run_jobs if job.ended == "Failed"]
    if not failed:
        return None, []
    first = min(failed, key=lambda job: job.place)
    message = f"the step {first.place} failed: {first.reason}: {first.message}"
    return Fault(reason="StepFailed", message=message, permanent=True), [str(job.place) for job in failed]


def claim_slots(observed: PipelineObserved, picture: Picture, blocked: set[str]) -> Iterator[Claim]:
    """Yield what each step that runs or can run would use of the slots."""
    limits = {step.name: step.parallelism for step in observed.pipeline.spec.steps}
    for node in picture.unrolled.nodes:
        job, limit = picture.jobs.get(node.name), limits[picture.unrolled.places[node.name].step]
        most = observed.parallelism if limit is None else min(limit, observed.parallelism)
        if job is not None and job.ended is None and picture.states[node.name] is State.RUN:
            wanted = max(min(job.wanted, most), 1)
            yield Claim(
                step=node.name, rank=picture.ranks[node.name], wanted=wanted, share=job.share, active=job.active
            )
        elif job is None and picture.states[node.name] is State.RUN and node.name not in blocked:
            yield Claim(step=node.name, rank=picture.ranks[node.name], wanted=most)


def change_shares(
    picture: Picture, claims: list[Claim], parallelism: int, left: list[StepJob]
) -> Iterator[PipelineAction]:
    """Yield the changes of the shares: lowered, then raised, then new jobs beside those that are `left`."""
    shares = divide_slots(claims, parallelism)
    jobs = {claim.step: picture.jobs[claim.step] for claim in claims if claim.step in picture.jobs}
    for is_raise in (False, True):
        for name, job in jobs.items():
            if job.suspended and not is_raise:
                yield SetSuspend(job=job, suspend=False)
            if shares[name] != job.share and (shares[name] > job.share) is is_raise:
                yield SetShare(job=job, share=shares[name])
    for name, share in shares.items():
        if name not in jobs:
            place = picture.unrolled.places[name]
            kept = find_kept_maps(left, place.step)
            yield CreateStep(place=place, share=share, maps_from=None if kept is None else kept.name)


def redo(observed: PipelineObserved, picture: Picture) -> Iterator[DeleteStepJob]:
    """Yield the deletion of complete jobs whose output is gone or replaced: then their steps run again."""
    for name, job in picture.jobs.items():
        runs_again = picture.states.get(name) not in (State.REUSED, None)
        if job.ended == "Complete" and is_recorded(job, observed) and runs_again and not job.deleting:
            yield DeleteStepJob(job=job, why="output lost")


def complete(observed: PipelineObserved, picture: Picture) -> PipelineDecision:
    """End the run as complete, once the results of its loops are published."""
    actions = tuple(PublishLoop(place=place) for place in find_unpublished(observed, picture))
    states = describe_states(observed, picture, set(), [])
    if actions:
        verdict = PipelineVerdict(phase=PipelinePhase.RUNNING, states=states)
        return PipelineDecision(verdict=verdict, actions=actions)
    verdict = PipelineVerdict(phase=PipelinePhase.COMPLETE, reason="AllStepsComplete", states=states)
    return PipelineDecision(verdict=verdict)


def find_unpublished(observed: PipelineObserved, picture: Picture) -> Iterator[Place]:
    """Yield the last iteration of each step of a loop that has a URI, if its output is not there yet."""
    for step in observed.pipeline.spec.steps:
        loop = observed.pipeline.spec.loop_of(step.name)
        if loop is None or step.output.uri is None:
            continue
        last = Place(step=step.name, iteration=picture.unrolled.loops[loop.name].iteration)
        if observed.published.get(step.name) != observed.records[str(last)].output_digest:
            yield last


def end_failed(
    running: list[StepJob], fault: Fault, *, stops: bool, states: Mapping[str, str] = MappingProxyType({})
) -> PipelineDecision:
    """End the run as failed, after its running jobs have ended or are deleted. Those of a suspension go on, to end."""
    phase = PipelinePhase.RUNNING if running else PipelinePhase.FAILED
    verdict = PipelineVerdict(phase=phase, reason=fault.reason, message=fault.message, states=states)
    resumed = tuple(SetSuspend(job=job, suspend=False) for job in running if job.suspended)
    return PipelineDecision(verdict=verdict, actions=tuple(delete_all(running, "run failed")) if stops else resumed)


def fail(reason: str, message: str) -> PipelineDecision:
    """Return the verdict of a failed run."""
    return PipelineDecision(verdict=PipelineVerdict(phase=PipelinePhase.FAILED, reason=reason, message=message))


def suspend(running: list[StepJob]) -> PipelineDecision:
    """Suspend every running job. What is committed stays."""
    actions = tuple(SetSuspend(job=job, suspend=True) for job in running if not job.suspended)
    verdict = PipelineVerdict(phase=PipelinePhase.SUSPENDED, reason="Suspended")
    return PipelineDecision(verdict=verdict, actions=actions)


def clean_up(observed: PipelineObserved, now: float) -> PipelineDecision:
    """Delete the unfinished jobs of an ended run and those with map output, and later all else besides its results."""
    run = observed.run
    phase = PipelinePhase.COMPLETE if run.terminal == "Complete" else PipelinePhase.FAILED
    verdict = PipelineVerdict(phase=phase, reason=run.reason, message=run.message)
    left = [job for job in observed.jobs if job.ended is None or job.keeps_maps]
    expires_at = (run.completed_at or now) + observed.pipeline.spec.ttl_seconds_after_finished
    if left or now < expires_at:
        wake_after = max(expires_at - now, 0.0)
        return PipelineDecision(verdict=verdict, actions=tuple(delete_all(left, "run ended")), wake_after=wake_after)
    may_remove = observed.holds_steps and not observed.is_store_unreadable
    removals = tuple(remove_after_ttl(observed)) if may_remove else ()
    return PipelineDecision(verdict=verdict, actions=removals)


def delete_all(jobs: list[StepJob], why: str) -> Iterator[DeleteStepJob]:
    """Yield the deletion of the jobs that are not being deleted yet."""
    return (DeleteStepJob(job=job, why=why) for job in jobs if not job.deleting)


def is_recorded(job: StepJob, observed: PipelineObserved) -> bool:
    """Tell whether a job's output is recorded."""
    record = observed.records.get(str(job.place))
    return record is not None and record.job_uid == job.uid


def describe_states(
    observed: PipelineObserved, picture: Picture, blocked: set[str], failed: list[str]
) -> Mapping[str, str]:
    """Return what the status says of each node."""
    return {node.name: describe_state(node.name, observed, picture, blocked, failed) for node in picture.unrolled.nodes}


def describe_end(
    observed: PipelineObserved, picture: Picture, blocked: set[str], failed: list[str]
) -> Mapping[str, str]:
    """Return what the status says of each node when nothing starts any more."""
    states = describe_states(observed, picture, blocked, failed)
    return {name: "NotReached" if state == "Waiting" else state for name, state in states.items()}


def describe_state(
    name: str, observed: PipelineObserved, picture: Picture, blocked: set[str], failed: list[str]
) -> str:
    """Return what the status says of a node."""
    if name in failed:
        return "Failed"
    if name in blocked:
        return "NotReached"
    job = picture.jobs.get(name)
    if job is not None and job.ended is None:
        return "Running"
    if picture.states[name] is not State.REUSED:
        return "Waiting"
    record = observed.records.get(name)
    return "Complete" if record is not None and observed.is_own(record) else "Reused"
