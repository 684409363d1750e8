"""A hostile world: one job, its user, the cluster and the store, and an operator that folds decide over them.

Rule: a world is a function of its seed. It mirrors reconcile and observe; decide, build_status, the pauses between
passes and which records are looked for are the product's own.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from podreduce_operator.api.spec import decode_spec
from podreduce_operator.digests.pinned_digests import digest_pinned
from podreduce_operator.loop.apply import Applied
from podreduce_operator.loop.reconcile import faults_since, seconds_to_next_pass
from podreduce_operator.model.actions import (
    Action,
    CommitOutput,
    CreatePod,
    DeletePod,
    DiscardRun,
    FreezeShuffle,
    PlanRun,
    RecordFailure,
)
from podreduce_operator.model.decisions import Decision, Phase
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import (
    Fault,
    Observed,
    PlanSummary,
    PostMortemView,
    PublishedOutput,
    ShuffleSummary,
)
from podreduce_operator.model.pods import AttemptProgress, PodView
from podreduce_operator.pods.pod_names import hash_run
from podreduce_operator.pods.task_sequences import History, failed_attempts
from podreduce_operator.policy.run_cleanup import has_settled, is_at_rest
from podreduce_operator.policy.run_state import may_start_over, read_plan_digest, read_run_of, read_run_state
from podreduce_operator.policy.status import build_status
from tests.simulation.actions import ActionFailedError, Actor, OperatorDiedError
from tests.simulation.chaos import Chaos, FaultKind
from tests.simulation.judge import (
    COMPLETES_WITHOUT_FAULTS,
    DOES_NOT_RAISE,
    PROGRESS,
    Judge,
    ViolationError,
    find_terminal,
)
from tests.simulation.object_store import Manifest, ObjectStore
from tests.simulation.pods import Cluster
from tests.simulation.user import User

__all__ = ["EPOCH", "SHORT_TTL_SECONDS", "Decide", "Outage", "Result", "World"]

K = FaultKind
Decide = Callable[[Observed, float], Decision]

EPOCH = 1_000_000.0
POST_MORTEM = PostMortemView(uri="s3://work/post-mortem.json", attempts_uri="s3://work/attempts.parquet")
UID = "job-uid"
COALESCED_SECONDS = 1.0
MAX_PASSES = 1500
MAX_SECONDS = 20_000.0
SHORT_TTL_SECONDS = 60
STALE_SECONDS = 5.0
MENDED_AFTER_SECONDS = 60.0
FATALLY_REFUSED = PlanRun | CreatePod
"""Actions that fail a run if they are refused. The store was right for the others when the run was planned."""
WAITED_FOR = RecordFailure | FreezeShuffle | CommitOutput | DiscardRun

LONGEST_REST_SECONDS = 3600.0
"""A job that rests for good is looked at again all the same: the judge sees that nothing happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a world went. `violation` is empty if all invariants held."""

    seed: int
    violation: str
    invariant: str
    verdict: str
    tasks: int
    passes: int
    faults: int
    counts: Mapping[FaultKind, int]
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The store is away for longer than most deadlines.

    Attributes:
        begins_at: from when on; None: between a run's intent and its output.
        seconds: how long.
        patience_seconds: the job gets a deadline so long after the beginning.
    """

    begins_at: float | None
    seconds: float
    patience_seconds: float | None

    def is_due(self, now: float, *, is_committing: bool) -> bool:
        """Tell whether it begins now."""
        return is_committing if self.begins_at is None else now >= self.begins_at


@dataclass(slots=True, kw_only=True)
class World:
    """Everything there is. `draw` makes one."""

    seed: int
    rng: random.Random
    chaos: Chaos
    store: ObjectStore
    cluster: Cluster
    judge: Judge
    user: User
    decide: Decide
    history: type[History]
    choose: Callable[[JobView], str]
    raw_spec: dict[str, Any]
    limits: Limits = field(default_factory=Limits)
    reports: bool = True
    listing_interval_seconds: float = 0.0
    clock_offset: float = 0.0
    actor: Actor = field(init=False)
    now: float = EPOCH
    status: Mapping[str, Any] = field(default_factory=dict)
    generation: int = 1
    pinned: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    job: JobView | None = None
    jobs: deque[tuple[float, JobView]] = field(default_factory=lambda: deque(maxlen=3))
    lists: deque[tuple[float, tuple[PodView, ...]]] = field(default_factory=lambda: deque(maxlen=6))
    hashes: dict[str, str] = field(default_factory=dict)
    fuse: int = -1
    fuse_kind: FaultKind = K.ACTION_FAILED
    next_pass: float = EPOCH
    last_pass: float = 0.0
    deaf_until: float = 0.0
    blind_until: float = 0.0
    blind_reason: str = ""
    outage: Outage | None = None
    troubled_since: float | None = None
    phase_written: Phase | None = None
    refused: dict[tuple[str, type], float] = field(default_factory=dict)
    status_written_at: float = 0.0
    told: tuple[object, ...] = ()
    passes: int = 0
    log: list[tuple[float, object]] = field(default_factory=list)
    is_at_rest: bool = False

    @classmethod
    def build(cls, *, plan: PlanSummary, chosen_partitions: int, **parts: Any) -> Self:
        """Put a world together."""
        world = cls(**parts)
        world.actor = Actor(
            rng=world.rng,
            cluster=world.cluster,
            store=world.store,
            plan=plan,
            chosen_partitions=chosen_partitions,
            if_exists=world.raw_spec["output"]["ifExists"],
            point=world.point,
            judge=world.judge,
        )
        return world

    def run(self) -> None:
        """Let time pass until the world has come to rest."""
        while not self.is_done():
            if self.passes > MAX_PASSES or self.now > EPOCH + MAX_SECONDS:
                raise ViolationError(PROGRESS, f"{self.passes} passes, {self.now - EPOCH:.0f} s")
            self.step()
        self.judge.end(self.wanted_run, self.status, expired=self.expires, newest=self.newest_spec)
        if not self.chaos.is_on and find_terminal(self.status) != ("Complete", "OutputCommitted"):
            raise ViolationError(COMPLETES_WITHOUT_FAULTS, str(find_terminal(self.status)))

    @property
    def wanted_run(self) -> str:
        """The run that the job is to have now."""
        return self.choose(self.view_job())

    @property
    def newest_spec(self) -> str | None:
        """The digest of the spec that the output is to be made by, if every change counts."""
        return digest_pinned(self.raw_spec) if self.raw_spec["runPolicy"] == "OnChange" else None

    def step(self) -> None:
        """Go to the next moment at which something happens."""
        pods_at = self.cluster.due[0][0] if self.cluster.due else self.next_pass
        self.now = max(self.now, min(self.next_pass, pods_at, self.user.next_at(self.next_pass)))
        self.cluster.advance(self.now)
        if self.user.act(self) or self.cluster.changed:
            self.is_at_rest = False
            if self.now >= self.deaf_until:
                self.next_pass = min(self.next_pass, max(self.now, self.last_pass + COALESCED_SECONDS))
        self.cluster.changed = False
        if self.now >= self.next_pass:
            self.last_pass = self.now
            self.next_pass = self.now + max(0.02, self.make_pass())
        self.judge.look()

    def is_done(self) -> bool:
        """Tell whether nothing can happen any more but what the ttl still holds."""
        stirred = self.cluster.stirred_at >= self.last_pass
        if not self.is_at_rest or stirred or self.cluster.due or self.user.has_plans:
            return False
        return not self.expires or not (self.store.run(self.wanted_run).has_objects or self.cluster.pods)

    @property
    def expires(self) -> bool:
        """Whether all of the run goes soon after its end. If the clock jumps over that, what comes later stays."""
        return bool(self.raw_spec["ttlSecondsAfterFinished"] == SHORT_TTL_SECONDS) and self.judge.is_clock_right

    def make_pass(self) -> float:
        """Reconcile once; return when to look again."""
        self.passes += 1
        self.is_at_rest = False
        try:
            return self.reconcile()
        except OperatorDiedError:
            self.note("the operator died")
            self.lists.clear()
            self.actor.forget()
            self.troubled_since = self.phase_written = None
            return float(self.rng.randint(1, 10))

    def reconcile(self) -> float:
        """Observe, decide, apply, tell."""
        job, pods, fresh = self.see()
        observed = replace(self.observe(job, pods), troubled_since=self.troubled_since)
        decision = self.decide_on(observed)
        self.judge.sight(observed, whole=self.actor.sight_of(observed.run_id).is_whole)
        self.judge.begin(observed, decision, is_fresh=fresh)
        applied = self.apply(decision, observed)
        if applied.is_cut_short:
            decision = replace(decision, wake_after=0.0)
        if applied.faults:
            observed = replace(observed, faults=applied.faults)
            decision = self.decide_on(observed)
            self.judge.begin(observed, decision, is_fresh=fresh)
            self.fuse = -1
            self.apply(decision, observed)
        elif not applied.is_cut_short:
            self.judge.finish(observed)
        self.troubled_since = faults_since(observed, self.clock)
        due = self.tell(observed, decision)
        self.is_at_rest = fresh and not observed.faults and due is None and self.is_settled(observed, decision)
        if self.chaos.strikes(K.EVENTS_MISSED, 0.01):
            self.deaf_until = self.now + 60.0
        rests = self.is_settled(observed, decision) and has_settled(observed.run, self.clock)
        return min(LONGEST_REST_SECONDS, seconds_to_next_pass(observed, decision, due, rests=rests))

    def is_settled(self, observed: Observed, decision: Decision) -> bool:
        """Tell whether the run has ended and nothing is left to tidy."""
        ended = observed.run.terminal is not None and observed.run_id == self.wanted_run
        awaited = any(pod.deleting or not pod.is_finished for pod in observed.pods)
        return ended and not decision.actions and not awaited and not observed.faults

    def decide_on(self, observed: Observed) -> Decision:
        """Decide; an exception is a violation."""
        try:
            decision = self.decide(observed, self.clock)
        except Exception as error:
            raise ViolationError(DOES_NOT_RAISE, repr(error)) from error
        self.note(decision)
        return decision

    @property
    def clock(self) -> float:
        """What the operator takes for the time."""
        return self.now + self.clock_offset

    def see(self) -> tuple[JobView, tuple[PodView, ...], bool]:
        """Return the job and its pods as the operator's caches show them, and whether that is how they are."""
        pods, job = self.cluster.look(), self.view_job()
        self.lists.append((self.now, pods))
        if not self.jobs or self.jobs[-1][1] is not job:
            self.jobs.append((self.now, job))
        fresh = True
        older = [held for at, held in self.lists if at >= self.now - STALE_SECONDS]
        if len(older) > 1 and self.chaos.strikes(K.STALE_LIST, self.chaos.pass_rate / 2):
            pods, fresh = self.rng.choice(older[:-1]), False
            self.cluster.changed = True
        is_new = len(self.jobs) > 1 and self.jobs[-1][0] >= self.now - STALE_SECONDS
        if is_new and self.chaos.strikes(K.STALE_STATUS, self.chaos.pass_rate):
            job, fresh = self.jobs[-2][1], False
        return job, pods, fresh

    def view_job(self) -> JobView:
        """Return the job as it is."""
        job = self.job
        if job is None or job.raw_spec is not self.raw_spec or job.status is not self.status:
            job = self.job = JobView(
                key=JobKey(namespace="default", name="job"),
                uid=UID,
                generation=self.generation,
                spec=decode_spec(self.raw_spec),
                raw_spec=self.raw_spec,
                status=self.status,
            )
        return job

    def hash_of(self, run_id: str) -> str:
        """Return the run's hash."""
        if run_id not in self.hashes:
            self.hashes[run_id] = hash_run(UID, run_id)
        return self.hashes[run_id]

    def observe(self, job: JobView, pods: tuple[PodView, ...]) -> Observed:
        """Build what `observe.observe` would: pods first, then the store."""
        run_id = self.choose(job)
        blind = self.draw_blindness(job)
        previous = job.status.get("runId")
        state = read_run_state(job.status, run_id)
        if is_at_rest(job, state, self.clock):
            return Observed(
                job=job,
                run_id=run_id,
                run_hash=self.hash_of(run_id),
                run=state,
                pods=pods,
                limits=self.limits,
                is_store_unreadable=True,
                is_at_rest=True,
            )
        if blind is not None:
            return Observed(
                job=job,
                run_id=run_id,
                run_hash=self.hash_of(run_id),
                run=state,
                superseded=previous if previous != run_id else None,
                pods=pods,
                limits=self.limits,
                faults=(blind,),
                is_store_unreadable=True,
            )
        superseded = None
        if previous is not None and previous != run_id:
            old = self.store.run(previous)
            if read_run_state(job.status, previous).terminal is None and old.intent is not None:
                run_id = previous
            elif old.has_objects:
                superseded = previous
        return self.observe_store(job, pods, run_id, superseded)

    def observe_store(self, job: JobView, pods: tuple[PodView, ...], run_id: str, superseded: str | None) -> Observed:
        """Read the run's records and its output."""
        run, output, sight = self.store.run(run_id), self.store.output, self.actor.sight_of(run_id)
        run_hash = self.hash_of(run_id)
        ours = [pod for pod in pods if pod.run_hash == run_hash]
        sight.refresh(run, ours, now=self.now, interval_seconds=self.listing_interval_seconds)
        if run.plan is None and may_start_over(job, run_id):
            sight.started_over = job.generation
        state = read_run_of(job, run_id, sight.started_over)
        manifest = max(run.manifests, key=lambda one: one.generation, default=None)
        published = run.intent is not None and output.is_published(run_id)
        left = bool(run.blobs or output.staged.get(run_id)) or output.claim == run_id
        pods = self.place(pods, run_id)
        return Observed(
            job=job,
            run_id=run_id,
            run_hash=run_hash,
            run=state,
            superseded=superseded,
            plan=run.plan,
            pods=pods,
            commits=sight.commits.copy(),
            failures=sight.failures,
            progress=self.collect_progress(pods),
            shuffle=None if manifest is None else summarize(manifest),
            has_intent=run.intent is not None,
            published=PublishedOutput(uri="s3://out/", records=1, bytes=1) if published else None,
            has_intermediates=left and state.terminal is not None,
            has_records=run.has_objects,
            kept=self.actor.kept_of(run_id).copy(),
            post_mortem=None if run.post_mortem is None else POST_MORTEM,
            limits=self.limits,
        )

    def place(self, pods: tuple[PodView, ...], run_id: str) -> tuple[PodView, ...]:
        """Return the pods of the run as standing for the tasks that they are at."""
        run, run_hash, sight = self.store.run(run_id), self.hash_of(run_id), self.actor.sight_of(run_id)
        history = self.history(
            commits=sight.commits,
            outdated=sight.outdated,
            failed=failed_attempts(sight.failures),
            partitions=max(run.manifests, key=lambda one: one.generation).partitions if run.manifests else None,
        )
        return tuple([history.place(pod) if pod.run_hash == run_hash else pod for pod in pods])

    def collect_progress(self, pods: tuple[PodView, ...]) -> dict[str, AttemptProgress]:
        """Return what the operator has heard of the attempts' progress, if anything gets through to it."""
        if not self.reports:
            return {}
        attempts = self.cluster.attempts
        told = {pod.attempt_id: attempts[pod.attempt_id].progress(pod.attempt_id, self.now) for pod in pods}
        offset = self.clock_offset
        return {
            attempt_id: replace(
                progress, reported_at=progress.reported_at + offset, changed_at=progress.changed_at + offset
            )
            for attempt_id, progress in told.items()
            if progress is not None
        }

    def draw_blindness(self, job: JobView) -> Fault | None:
        """Say why the store cannot be read this time, if it cannot."""
        rate = self.chaos.pass_rate * (4 if self.is_delicate(job) else 1)
        if self.outage is not None and self.outage.is_due(self.now, is_committing=self.is_committing(job)):
            self.begin_outage(self.outage)
        if self.now >= self.blind_until:
            if self.chaos.strikes(K.BLIND, rate / 3):
                self.blind_reason = "StorageUnavailable"
            elif self.chaos.strikes(K.SECRET_MISSING, rate / 20):
                self.blind_reason = "StorageSecretNotFound"
                self.judge.refused.add(self.blind_reason)
            else:
                return None
            self.blind_until = self.now + self.rng.choice([0.1, 3.0, 12.0, 40.0])
        was_planned = read_plan_digest(job.status, self.choose(job)) is not None
        if self.blind_reason == "StorageUnavailable" and was_planned and self.chaos.budget % 2:
            return Fault(reason="StorageDenied", message=f"{job.key}: the store refuses", permanent=True)
        return Fault(reason=self.blind_reason, message=f"{job.key}: no store", permanent=False)

    def begin_outage(self, outage: Outage) -> None:
        """The store is away from now on; its user may lose patience."""
        self.chaos.spend(K.OUTAGE)
        reason = self.rng.choice(["StorageUnavailable", "StorageSecretNotFound"])
        if reason == "StorageSecretNotFound":
            self.judge.refused.add(reason)
        self.blind_reason, self.blind_until, self.outage = reason, self.now + outage.seconds, None
        if outage.patience_seconds is not None:
            self.change_spec(activeDeadlineSeconds=int(self.now - EPOCH + outage.patience_seconds))

    def is_delicate(self, job: JobView) -> bool:
        """Tell whether the job is between two runs, or between intent and output: where trouble is most instructive."""
        return self.is_committing(job) or job.status.get("runId") != self.choose(job)

    def is_committing(self, job: JobView) -> bool:
        """Tell whether the run in the status is past its intent."""
        run_id = job.status.get("runId")
        return self.store.run(run_id or self.choose(job)).intent is not None and run_id not in self.judge.verdicts

    def apply(self, decision: Decision, observed: Observed) -> Applied:
        """Carry the decision out, unless the world breaks on the way."""
        if observed.is_store_unreadable:
            for action in decision.actions:
                if isinstance(action, DeletePod):
                    self.actor.act(action, observed)
            return Applied()
        self.light_fuse(decision)
        applied = self.actor.apply(decision.actions, observed, shuffled=self.fuse >= 0)
        self.fuse = -1
        for fault in applied.faults:
            self.note(f"held up: {fault.reason}")
        return applied

    def light_fuse(self, decision: Decision) -> None:
        """Draw whether, how and where this pass breaks."""
        delicate = any(isinstance(action, CommitOutput | DiscardRun | PlanRun) for action in decision.actions)
        rate = min(0.7, self.chaos.pass_rate * (4 if delicate else 1))
        if not decision.actions or self.chaos.budget <= 0 or self.rng.random() >= rate:
            return
        self.fuse = self.rng.randint(0, 2 * len(decision.actions) + 4)
        kinds = [K.OPERATOR_DIED, K.ACTION_FAILED, K.REFUSED, K.SECOND_LEADER]
        self.fuse_kind = self.rng.choices(kinds, [10, 10, 4, 10])[0]

    def point(self, action: Action, has_begun: bool) -> None:
        """Break here if the fuse is burnt down. What was refused stays so; what cannot fail a run is mended."""
        key = (self.wanted_run, type(action))
        has_intent = self.store.run(self.status.get("runId", "")).intent is not None
        if not has_begun and self.now < self.refused.get(key, 0.0):
            raise ActionFailedError(refusal_of(action, has_intent=has_intent), permanent=True)
        if self.fuse < 0:
            return
        self.fuse -= 1
        if self.fuse >= 0:
            return
        kind = self.fuse_kind
        if kind is K.SECOND_LEADER:
            self.chaos.spend(kind)
            self.make_rival_pass()
            return
        if kind is K.OPERATOR_DIED:
            self.chaos.spend(kind)
            raise OperatorDiedError
        if kind is K.REFUSED and not has_begun and isinstance(action, FATALLY_REFUSED | WAITED_FOR):
            self.chaos.spend(kind)
            reason = refusal_of(action, has_intent=has_intent)
            self.refused[key] = math.inf if isinstance(action, FATALLY_REFUSED) else self.now + MENDED_AFTER_SECONDS
            if isinstance(action, FATALLY_REFUSED):
                self.judge.refused.add(reason)
            raise ActionFailedError(reason, permanent=True)
        self.chaos.spend(K.ANSWER_LOST if has_begun else K.ACTION_FAILED)
        raise ActionFailedError("StorageUnavailable")

    def make_rival_pass(self) -> None:
        """A second leader makes a whole pass here, amid the first one's, by what it has seen, which may be old.

        From then on what the first one has seen is old, too.
        """
        outer, doing = (self.judge.observed, self.judge.decision), self.actor.doing
        known = self.actor.kept, self.actor.sights
        self.actor.forget()
        self.note("{ a second leader")
        pods = self.rng.choice([self.cluster.look(), *(held for _, held in self.lists)])
        job = self.rng.choice([self.view_job(), *(held for _, held in self.jobs)])
        observed = self.observe(job, pods)
        decision = self.decide_on(observed)
        self.judge.begin(observed, decision, is_fresh=False)
        if observed.run_id != self.wanted_run:
            self.judge.haunted.add(observed.run_id)
        if not observed.is_store_unreadable:
            self.actor.apply(decision.actions, observed, shuffled=True)
        self.tell(observed, decision)
        self.note("}")
        self.actor.doing, (self.actor.kept, self.actor.sights) = doing, known
        if outer[0] is not None and outer[1] is not None:
            self.judge.begin(outer[0], outer[1], is_fresh=False, is_contested=True)

    def tell(self, observed: Observed, decision: Decision) -> float | None:
        """Write the status if it changed, once a second; return in how many seconds to look again for it.

        Counts and times that nothing reads back are not worth a status here: it is written when its gist changes.
        """
        told, story = decision.verdict, (observed.is_store_unreadable, observed.post_mortem)
        gist = (observed.run_id, told.phase, told.reason, observed.superseded, observed.run, story)
        if gist == self.told and observed.job.status is self.status:
            return None
        pinned = None if observed.plan is None else self.pinned.setdefault(observed.run_id, self.raw_spec)
        status = build_status(observed, decision.verdict, self.clock, pinned)
        if status == observed.job.status:
            return None
        due_in = self.status_written_at + 1.0 - self.now
        is_awaited = decision.verdict.phase is Phase.COMMITTING and self.phase_written is not Phase.COMMITTING
        if due_in > 0 and not (is_awaited or decision.verdict.is_terminal):
            return due_in
        conflict = observed.job is not self.view_job()
        if conflict or self.chaos.strikes(K.STATUS_CONFLICT, self.chaos.pass_rate):
            return 0.0
        if self.chaos.strikes(K.STATUS_LOST, self.chaos.pass_rate):
            return 0.5
        self.judge.write_status(self.status, status, self.wanted_run)
        self.status, self.status_written_at, self.told = status, self.now, gist
        self.phase_written = decision.verdict.phase
        return 0.0 if decision.verdict.is_terminal else None

    def change_spec(self, **changes: Any) -> None:
        """The user applies the job again."""
        self.raw_spec = {**self.raw_spec, **changes}
        self.generation += 1

    def note(self, entry: object) -> None:
        """Keep a line for the decision log; it is rendered only if the world fails."""
        self.log.append((self.now, entry))

    def render_log(self) -> Iterator[str]:
        """Yield the decision log, line by line."""
        for at, entry in self.log:
            yield f"{at - EPOCH:9.2f}  {entry}"


def refusal_of(action: Action, *, has_intent: bool) -> str:
    """Return the reason for which an action is refused: by the API server, by the store, or by another's claim."""
    if isinstance(action, CommitOutput) and has_intent:
        return "OutputClaimed"
    return "PodRejected" if isinstance(action, CreatePod) else "StorageDenied"


def summarize(manifest: Manifest) -> ShuffleSummary:
    """Return what the operator makes of a shuffle manifest."""
    return ShuffleSummary(
        generation=manifest.generation,
        partitions=manifest.partitions,
        map_generations=manifest.map_generations,
        partition_bytes=(1000,) * manifest.partitions,
        imbalance_bytes=0.0,
        hash_imbalance_bytes=0.0,
    )
