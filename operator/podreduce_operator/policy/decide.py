"""The scheduling policy: one pure function from an observed world to what to do now.

The policy, in prose
--------------------
A run goes through plan → maps → shuffle → reduces → commit, and each step is taken because its evidence is missing,
never because of what happened before:

1. A terminal run is final. What is left of it is tidied: active pods go, then blobs, staged parts and the output's
   claim; then, if it was planned, its post-mortem is written; after `ttlSecondsAfterFinished` its records go and the
   kept failed pods.
2. A run that a new `runId` replaced is taken down first: its pods, then everything it stored. Then the new one starts;
   until then it cannot fail.
   A run is named in the status before anything is done for it, so that whoever replaces it finds it there.
3. Past the commit intent there is only one way, forward: deadline, suspension and failures no longer matter, and a
   fault holds the run up for as long as it lasts. A planned run whose store cannot be read may be past its intent. One
   thing fails a run even then, for it cannot pass: the store dropped a part that was to be published.
4. A fault that repeating cannot mend, a fatal failure, a task out of attempts, more bad records than the job may skip,
   or the deadline fails the run. The verdict rests on evidence that lasts (records, times), so that a restart finds the
   same one.
5. Suspended: no pods. What is committed stays.
6. Otherwise the tasks of the current wave run: the uncommitted maps, and only when each map is committed and the
   shuffle manifest names just those commits, the uncommitted reduces. A map-only run has no second wave.
7. A task gets an attempt when none is active, its backoff is over and `parallelism` has room; lower indexes first. A
   lower `parallelism` starts no more pods, and lets the running ones finish.
   A pod may take several tasks, one after another (`packing`), or a small job as a whole (`whole_jobs`). It stands for
   the task that it is at (`sequences`); those behind it are tried as well while it runs, and nobody's when it ends. A
   task that has failed, and a twin, has a pod to itself.
8. A failed attempt is made durable first (`RecordFailure`), and its pod deleted only on seeing that record. What a
   failure costs is its class's (`failure_classes`), unless the job's `failurePolicy` says otherwise. A pod whose node
   does not answer its deletion is let go of. One that is given up because it never started is asked for once more: the
   list that it waits in may be old.
9. A reduce that reports a map output as lost opens the next generation of that map's commit, and of the manifest; a
   part found missing before the commit intent, that of its task's commit.
10. What is known of an attempt is kept as it comes further, and before its pod is deleted (`evidence`). No verdict and
   no stop waits for it: after a fault they come without.
11. What makes room is deleted before pods are created, and what has ended after it: successors come first.

Invariants, held by the simulation
----------------------------------
- one committed attempt per task and generation; no reduce attempt before the last map's commit;
- at most backoffLimitPerTask + 1 counted attempts of a task, none before its time;
- never more active pods than `parallelism`, when they are created;
- a failed or complete run leaves no running pod, and a terminal verdict never changes.

A worked example
----------------
Two shards, one partition, parallelism 1, nothing started: `Mapping: create(m-0#1)`. Its pod fails at t=100 with
ProgramError, which makes room: `Mapping: record(m-0 ProgramError) create(m-1#1)`. With the record visible and an
initial backoff of 5 s, at t=101: `Mapping: -; wake 4.0s`; the failed pod stays, as one of the last ten. At t=105 m-1
still runs, so m-0 waits for room: `Mapping: -`. Once m-1 is committed and its pod has ended:
`Mapping: keep(1) create(m-0#2) delete(m-1 committed)`. Both committed: `Mapping: freeze(0)`, then
`Reducing: create(r-0#1)`, `Committing: commit`, `Complete/OutputCommitted: -`, and on the terminal run
`Complete/OutputCommitted: clean post-mortem; wake 86400.0s`.
"""

from dataclasses import replace

from podreduce_operator.model.actions import CommitOutput, PlanRun
from podreduce_operator.model.decisions import Decision, Phase, Verdict
from podreduce_operator.model.observed import Observed
from podreduce_operator.policy.attempt_record import SUSPENDED
from podreduce_operator.policy.attempt_snapshots import keep_attempts
from podreduce_operator.policy.pod_deletion import delete_all, delete_foreign, let_go, stop_failed
from podreduce_operator.policy.retry_delays import FAULT_RETRY_SECONDS
from podreduce_operator.policy.run_cleanup import supersede, tidy
from podreduce_operator.policy.run_end import find_end
from podreduce_operator.policy.run_wave import run_wave

__all__ = ["decide"]

CHAOS_NOT_ALLOWED = Verdict(
    phase=Phase.FAILED,
    reason="ChaosNotAllowed",
    message="spec.chaos lets tasks fail on purpose, which is not allowed here: remove it, or set chaos.enabled (chart)",
)


def decide(observed: Observed, now: float) -> Decision:
    """Decide what to do at `now` (seconds since the epoch) about one job."""
    return keep_attempts(let_go(take_step(observed, now), observed, now), observed, now)


def take_step(observed: Observed, now: float) -> Decision:
    """Take the next step of the run's life: tidied, complete, failed, or one step on."""
    if observed.run.terminal is not None:
        return tidy(observed, now)
    if observed.published is not None:
        return Decision(actions=(), verdict=Verdict(phase=Phase.COMPLETE, reason="OutputCommitted"))
    failed = find_end(observed, now)
    if failed is not None:
        return Decision(actions=stop_failed(observed), verdict=failed)
    decision = proceed(observed, now)
    return retry_later(decision, observed) if observed.faults else decision


def proceed(observed: Observed, now: float) -> Decision:
    """Take the run's next step."""
    if observed.is_blind:
        return Decision(actions=(), verdict=Verdict(phase=Phase.PLANNING))
    if observed.superseded is not None:
        return supersede(observed, observed.superseded)
    if observed.has_intent:
        return Decision(actions=(CommitOutput(),), verdict=Verdict(phase=Phase.COMMITTING))
    if observed.job.spec.suspend:
        return suspend(observed)
    if observed.plan is None:
        return begin(observed)
    return run_wave(observed, observed.plan, now)


def begin(observed: Observed) -> Decision:
    """Have the status name the run, and look again at once; then plan it, if it may be."""
    verdict, foreign = Verdict(phase=Phase.PLANNING), delete_foreign(observed)
    if observed.run.started_at is None:
        return Decision(actions=foreign, verdict=verdict, wake_after=0.0)
    if "chaos" in observed.job.raw_spec and not observed.limits.chaos:
        return Decision(actions=foreign, verdict=CHAOS_NOT_ALLOWED)
    return Decision(actions=(*foreign, PlanRun()), verdict=verdict)


def suspend(observed: Observed) -> Decision:
    """Stop every pod; what is committed stays, and what was running does not count as failed."""
    actions = (*delete_foreign(observed), *delete_all(observed.active_pods, SUSPENDED))
    total = None if observed.plan is None else observed.plan.shards
    return Decision(actions=actions, verdict=Verdict(phase=Phase.SUSPENDED, reason="Suspended", map_total=total))


def retry_later(decision: Decision, observed: Observed) -> Decision:
    """After a fault that may pass, say so and take the same step again after a pause. Who is suspended stops now."""
    fault = observed.faults[0]
    verdict = replace(decision.verdict, reason=fault.reason, message=fault.message)
    stops = decision.actions if verdict.phase is Phase.SUSPENDED else ()
    return Decision(actions=stops, verdict=verdict, wake_after=FAULT_RETRY_SECONDS)
