"""The scheduling policy: one pure function that decides what to do now from what is observed.

The policy
----------
A run goes through plan → maps → shuffle → reduces → commit. A step is due because its evidence is missing, never
because of what happened before.

1. A terminal run is final, unless it failed before it was planned and the spec has changed since: then it starts over.
   What it left is removed in this order: active pods; then blobs, staged parts and the claim on the output. If it was
   planned, its post-mortem is written next. After `ttlSecondsAfterFinished`, its records and the kept failed pods are
   removed. After `deleteAfterFinishedSeconds`, if it is set, they are removed in any case, and
   the job itself is deleted when nothing is left.
2. If a new `runId` replaces a run, the old run is removed first: its pods, then everything it stored. Then the new run
   starts; it cannot fail before. The status names a run before any other step, so that a later run can find it.
3. After the commit intent a run can only go forward. Deadline, suspension and failures no longer matter, and a fault
   delays the run for as long as it lasts. One thing still fails such a run, because it is permanent: the store dropped
   a part that was about to be published. The intent is in the store, which may be away. So the status says first that
   the run publishes: the intent follows only when that is seen, and no status takes it back. While the store cannot be
   read, a run whose status does not say so has no intent: it is suspended, and fails at its deadline. Nothing else that
   needs the store is decided then.
4. A run fails because of a permanent fault, a fatal failure, a task without attempts left, too many bad records, or the
   deadline. The verdict uses only evidence that lasts (records, times), so it is the same after a restart.
5. A suspended run has no pods. What is committed stays.
6. Otherwise the tasks of the current wave run. First come the maps that are not committed. When all are committed and
   the shuffle manifest names exactly these commits, the reduces follow. A map-only run has no second wave.
7. A task gets an attempt if none is active, its backoff is over and `parallelism` allows another pod. Lower indexes
   come first. If `parallelism` is lowered, running pods finish and no new ones start.
   A pod may take several tasks, one after another (`pod_packing`), or all tasks of a small job (`single_pod_jobs`). It
   represents its current task (`task_sequences`). The later tasks have no other attempt while it runs; when it ends
   early, they wait for another pod. A task that has failed gets a pod alone, and so does a twin.
8. A failed attempt is recorded first (`RecordFailure`); its pod is deleted only after the record has been seen. The
   failure class says what a failure costs (`failure_classes`), unless the job's `failurePolicy` says otherwise. If a
   pod's node does not answer the deletion, the pod is deleted by force. Before a pod that never started is given up,
   the cluster is asked once more, because the pod list may be old.
9. A reduce may report a map output as lost. This starts the next generation of that map's commit, and of the manifest.
   A part found missing before the commit intent starts the next generation of its task's commit.
10. An attempt is kept at each new stage and before its pod is deleted (`attempt_snapshots`). No verdict and no stop
   waits for this; after a fault they happen without it.
11. Pods that free a slot are deleted before new pods are created. Pods that have ended are deleted after that.

Invariants, checked by the simulation
-------------------------------------
- one committed attempt per task and generation; no reduce attempt before the last map's commit;
- at most backoffLimitPerTask + 1 counted attempts of a task, none before its time;
- never more active pods than `parallelism`, when they are created;
- a failed or complete run leaves no running pod, and a terminal verdict never changes (but see 1).

A worked example
----------------
Two shards, one partition, parallelism 1, nothing started: `Mapping: create(m-0#1)`. Its pod fails at t=100 with
ProgramError, which frees its slot: `Mapping: record(m-0 ProgramError) create(m-1#1)`. At t=101 the record is visible
and the initial backoff is 5 s: `Mapping: -; wake 4.0s`. The failed pod stays, as one of the last ten. At t=105 m-1
still runs, so m-0 waits for a slot: `Mapping: -`. After m-1 is committed and its pod has ended:
`Mapping: keep(1) create(m-0#2) delete(m-1 committed)`. After both are committed: `Mapping: freeze(0)`, then
`Reducing: create(r-0#1)`, `Committing: -; wake 0.0s` (the status says
that the run publishes), `Committing: commit`, `Complete/OutputCommitted: -`, and on the terminal run
`Complete/OutputCommitted: clean post-mortem; wake 86400.0s`.
"""

from dataclasses import replace

from podreduce_operator.model.actions import CommitOutput, PlanRun
from podreduce_operator.model.decisions import Decision, Phase, Verdict
from podreduce_operator.model.observed import Observed
from podreduce_operator.policy.attempt_record import SUSPENDED
from podreduce_operator.policy.attempt_snapshots import keep_attempts
from podreduce_operator.policy.job_deletion import delete_job
from podreduce_operator.policy.pod_deletion import delete_all, delete_foreign, force_lost_pods, stop_failed
from podreduce_operator.policy.retry_delays import FAULT_RETRY_SECONDS, fault_retry_seconds
from podreduce_operator.policy.run_cleanup import clean_up, remove_replaced_run
from podreduce_operator.policy.run_end import deadline_at, find_run_end, is_troubled, may_publish
from podreduce_operator.policy.run_wave import run_wave

__all__ = ["decide"]

CHAOS_NOT_ALLOWED = Verdict(
    phase=Phase.FAILED,
    reason="ChaosNotAllowed",
    message="spec.chaos lets tasks fail on purpose, which is not allowed here: remove it, or set chaos.enabled (chart)",
)


def decide(observed: Observed, now: float) -> Decision:
    """Decide what to do about one job at `now` (seconds since the epoch)."""
    return keep_attempts(force_lost_pods(take_step(observed, now), observed, now), observed, now)


def take_step(observed: Observed, now: float) -> Decision:
    """Clean up a terminal run, end the run as complete or failed, or take its next step."""
    if observed.run.terminal is not None:
        return delete_job(clean_up(observed, now), observed, now)
    if observed.published is not None:
        return Decision(actions=(), verdict=Verdict(phase=Phase.COMPLETE, reason="OutputCommitted"))
    failed = find_run_end(observed, now)
    if failed is not None:
        return Decision(actions=stop_failed(observed), verdict=failed)
    decision = proceed(observed, now)
    return retry_later(decision, observed, now) if observed.faults else decision


def proceed(observed: Observed, now: float) -> Decision:
    """Take the next step of a run that goes on."""
    if observed.is_store_unreadable:
        return proceed_blind(observed)
    if observed.superseded is not None:
        return remove_replaced_run(observed, observed.superseded)
    if observed.has_intent:
        return Decision(actions=(CommitOutput(),), verdict=Verdict(phase=Phase.COMMITTING))
    if observed.job.spec.suspend:
        return suspend(observed)
    if observed.plan is None or is_chaos_forbidden(observed):
        return begin(observed)
    return announce(run_wave(observed, observed.plan, now), observed)


def proceed_blind(observed: Observed) -> Decision:
    """Take the next step of a run whose store cannot be read: only a suspension needs nothing from there."""
    if observed.job.spec.suspend and observed.superseded is None and not may_publish(observed):
        return suspend(observed)
    return Decision(actions=(), verdict=Verdict(phase=Phase.PLANNING))


def announce(decision: Decision, observed: Observed) -> Decision:
    """Let the status say that the run publishes, and look again at once, before the run writes its intent."""
    actions = tuple(action for action in decision.actions if not isinstance(action, CommitOutput))
    if observed.run.is_publishing or len(actions) == len(decision.actions):
        return decision
    return replace(decision, actions=actions, wake_after=0.0)


def begin(observed: Observed) -> Decision:
    """Let the status name the run and look again at once. After that, plan the run if it is allowed."""
    verdict, foreign = Verdict(phase=Phase.PLANNING), delete_foreign(observed)
    if observed.run.started_at is None:
        return Decision(actions=foreign, verdict=verdict, wake_after=0.0)
    if is_chaos_forbidden(observed):
        return Decision(actions=foreign, verdict=CHAOS_NOT_ALLOWED)
    return Decision(actions=(*foreign, PlanRun()), verdict=verdict)


def is_chaos_forbidden(observed: Observed) -> bool:
    """Tell whether the tasks would fail on purpose and may not. If there is a plan, it decides, and else the spec."""
    has_chaos = "chaos" in observed.job.raw_spec if observed.plan is None else observed.plan.has_chaos
    return has_chaos and not observed.limits.chaos


def suspend(observed: Observed) -> Decision:
    """Stop every pod. Commits stay, and the stopped attempts do not count as failed."""
    actions = (*delete_foreign(observed), *delete_all(observed.active_pods, SUSPENDED))
    total = None if observed.plan is None else observed.plan.shards
    return Decision(actions=actions, verdict=Verdict(phase=Phase.SUSPENDED, reason="Suspended", map_total=total))


def retry_later(decision: Decision, observed: Observed, now: float) -> Decision:
    """Report a temporary fault and take the same step again after a pause. A suspension still stops pods now."""
    deadline, fault = deadline_at(observed), observed.faults[0]
    verdict = replace(decision.verdict, reason=fault.reason, message=fault.message)
    stops = decision.actions if verdict.phase is Phase.SUSPENDED else ()
    pause = fault_retry_seconds(observed.troubled_since, now) if is_troubled(observed) else FAULT_RETRY_SECONDS
    if deadline is not None and deadline > now:
        pause = min(pause, deadline - now)
    return Decision(actions=stops, verdict=verdict, wake_after=pause)
