"""Observes a job: its pods, records and output now, as one frozen value.

Rule: reads only. Pods are listed before the store. An attempt commits before it exits, so a succeeded pod's commit is
in the listing that follows.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from podreduce.contract.errors import InputError, PodreduceError, StorageDeniedError
from podreduce.contract.layout import (
    ATTEMPTS_TABLE_KEY,
    COMMIT_INTENT_KEY,
    DATA_PREFIX,
    PLAN_KEY,
    POST_MORTEM_KEY,
    QUARANTINE_PREFIX,
)
from podreduce.contract.plan import Plan, Program
from podreduce.contract.task import ShuffleManifest
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.spec import spec_changed
from podreduce_operator.cluster.interface import Cluster, JobStorage
from podreduce_operator.digests.pinned_digests import digest_pinned, digest_text
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import (
    Fault,
    HeavyKeyView,
    Observed,
    PinnedDigests,
    PlanSummary,
    PostMortemView,
    PublishedOutput,
    RunState,
    SeenProgram,
    ShuffleSummary,
)
from podreduce_operator.model.pods import PodView
from podreduce_operator.planning.plan_run import pin_program
from podreduce_operator.pods.pod_names import hash_run
from podreduce_operator.pods.task_sequences import History, failed_attempts
from podreduce_operator.policy.run_choice import choose_run_id
from podreduce_operator.policy.run_cleanup import is_at_rest, keeps_data, needs_attempts
from podreduce_operator.policy.run_state import (
    may_start_over,
    read_plan_digest,
    read_run_id,
    read_run_of,
    read_run_state,
)
from podreduce_operator.policy.single_pod_jobs import is_small_job, why_several_pods
from podreduce_operator.policy.spec_change import read_pinned
from podreduce_operator.policy.stuck_pods import is_silent, silent_since
from podreduce_operator.runs.publishing import has_leftovers, read_published
from podreduce_operator.runs.run import Run, RunCache
from podreduce_operator.runs.run_records import RunRecords
from podreduce_operator.runs.stored_records import check_plan
from podreduce_operator.shuffle.heavy_keys import KeyShare

__all__ = ["as_fault", "observe"]


async def observe(
    job: JobView, cluster: Cluster, cache: RunCache, limits: Limits, now: float, *, seen: SeenProgram | None = None
) -> tuple[Observed, Run | None]:
    """Return what is observed of the job, and the run to act on; None if the store cannot be reached.

    `seen` is the program's text in its ConfigMap, if it was compared.
    If the pods may not be listed, nothing can be said about the store either: commits are looked for by the pods.
    """
    pods, hidden = await observe_pods(job, cluster, now)
    run_id, previous = choose_run_id(job), read_run_id(job.status)
    state = read_run_state(job.status, run_id)
    is_resting = is_at_rest(job, state, now)
    blind = Observed(
        job=job,
        run_id=run_id,
        run_hash=hash_run(job.uid, run_id),
        run=state,
        superseded=None if previous == run_id else previous,
        pods=pods,
        limits=limits,
        seen_program=seen,
        is_store_unreadable=True,
        is_at_rest=is_resting,
    )
    if is_resting or hidden:
        return replace(blind, faults=() if is_resting else hidden), None
    observed: Observed
    run: Run | None = None
    try:
        storage = await cluster.read_storage(job)
        observed, run = await observe_store(blind, storage, cache, cluster, now)
    except (ActionError, PodreduceError) as error:
        observed = replace(blind, faults=(as_fault(error),))
    return replace(observed, progress=cluster.progress_of(observed.pods)), run


async def observe_pods(job: JobView, cluster: Cluster, now: float) -> tuple[tuple[PodView, ...], tuple[Fault, ...]]:
    """Return the job's pods, or why they may not be listed."""
    try:
        pods = await cluster.list_pods(job)
    except ActionError as error:
        return (), (error.as_fault(),)
    return await explain_silence(pods, job, cluster, now), ()


async def explain_silence(pods: tuple[PodView, ...], job: JobView, cluster: Cluster, now: float) -> tuple[PodView, ...]:
    """Read the events of one pod that does not start and gives no reason: the one that has waited longest."""
    silent = [(at, pod.name, pod) for pod in pods if (at := silent_since(pod)) is not None and is_silent(pod, now)]
    if not silent:
        return pods
    longest = min(silent)[2]
    warned = await cluster.last_warning(job, longest)
    if warned is None:
        return pods
    explained = replace(longest, reason=warned.reason, message=warned.message)
    return tuple(explained if pod is longest else pod for pod in pods)


async def observe_store(
    blind: Observed, storage: JobStorage, cache: RunCache, cluster: Cluster, now: float
) -> tuple[Observed, Run]:
    """Add what the store says about the current run."""
    run, superseded = await choose_run(blind, storage, cache)
    state = await refresh_records(run, blind, now)
    published, intermediates, records = await asyncio.gather(
        read_published_run(run), has_intermediates(run, state), has_records(run, state)
    )
    foreign = await plan_faults(blind.job, run, cluster)
    observed = replace(
        observe_records(blind, run, state),
        superseded=superseded,
        has_intent=run.records.intent is not None and not foreign,
        published=published,
        has_intermediates=intermediates,
        has_records=records,
        faults=() if state.terminal is not None else foreign or unreadable_faults(run),
    )
    if foreign:
        run.records.forget_plan()
    return observed, run


async def refresh_records(run: Run, blind: Observed, now: float) -> RunState:
    """Read what is new in the run's records, and return the state of the run as they have it."""
    job, run_hash = run.job, hash_run(run.job.uid, run.run_id)
    pods = [pod for pod in blind.pods if pod.run_hash == run_hash]
    await read_records(run, pods, read_run_state(job.status, run.run_id), blind.limits, now)
    if run.records.plan is None and may_start_over(job, run.run_id):
        run.records.started_over = job.generation
    return read_run_of(job, run.run_id, run.records.started_over)


def observe_records(blind: Observed, run: Run, state: RunState) -> Observed:
    """Return what the run's records say, with its pods placed at their tasks."""
    records, run_hash = run.records, hash_run(run.job.uid, run.run_id)
    return Observed(
        job=blind.job,
        run_id=run.run_id,
        run_hash=run_hash,
        run=state,
        plan=summarize_plan(records, read_pinned_of(blind.job, run.run_id)),
        pods=place_pods(blind.pods, run_hash, records),
        commits=dict(records.commits),
        counters=records.sums.counters.sums,
        failures=records.failures,
        shuffle=None if records.manifest is None else summarize_shuffle(records.manifest),
        skew=summarize_skew(records),
        quarantine_uri=run.work.uri_of(QUARANTINE_PREFIX),
        kept=dict(records.kept),
        post_mortem=view_post_mortem(run),
        limits=blind.limits,
        seen_program=blind.seen_program,
    )


async def choose_run(blind: Observed, storage: JobStorage, cache: RunCache) -> tuple[Run, str | None]:
    """Return the run to look at, and the run that it replaces and that has left something.

    A replaced run that has begun to publish is carried through first.
    """
    job, superseded = blind.job, blind.superseded
    run = cache.open(job, blind.run_id, storage)
    if superseded is None:
        return run, None
    old = cache.open(job, superseded, storage)
    if read_run_state(job.status, superseded).terminal is None and await has_intent(old):
        return old, None
    return run, superseded if await old.work.has_any_async() else None


async def read_records(run: Run, pods: Sequence[PodView], state: RunState, limits: Limits, now: float) -> None:
    """Read what is new. The tasks' records of an ended run are read only if its post-mortem needs them."""
    if state.terminal is not None:
        await run.records.refresh_ended()
        is_needed = not run.records.has_post_mortem and needs_attempts(run.job, state, limits, now)
        if not is_needed or run.records.take_too_much:
            run.records.forget_tasks()
            return
    await run.records.refresh(pods)


def place_pods(pods: Iterable[PodView], run_hash: str, records: RunRecords) -> tuple[PodView, ...]:
    """Return the pods, and set the current task of the run's pods."""
    history = History(
        commits=records.commits,
        outdated=records.outdated,
        failed=failed_attempts(records.failures),
        partitions=None if records.manifest is None else len(records.manifest.partitions),
    )
    return tuple(history.place(pod) if pod.run_hash == run_hash else pod for pod in pods)


async def has_intent(run: Run) -> bool:
    """Tell whether the run has a commit intent."""
    return await run.work.exists_async(COMMIT_INTENT_KEY)


async def has_intermediates(run: Run, state: RunState) -> bool:
    """Tell whether a terminal run has left blobs that nobody needs, staged parts or its claim. False in progress."""
    if state.terminal is None:
        return False
    has_data = not keeps_data(run.job, state) and await run.work.has_any_async(DATA_PREFIX)
    return has_data or await has_leftovers(run.output, run.claim)


async def has_records(run: Run, state: RunState) -> bool:
    """Tell whether anything is left of a terminal run. False for a run in progress."""
    return state.terminal is not None and await run.work.has_any_async()


async def read_published_run(run: Run) -> PublishedOutput | None:
    """Return the run's output if it is published."""
    if run.records.intent is None:
        return None
    return await read_published(run.output, run.job.uid, run.run_id)


def read_pinned_of(job: JobView, run_id: str) -> PinnedDigests | None:
    """Return the digests that the status has of the run's plan."""
    return read_pinned(job.status) if read_run_id(job.status) == run_id else None


def digest_plan(plan: Plan) -> PinnedDigests:
    """Return the digests of what the plan pins."""
    source = plan.program.source
    return PinnedDigests(spec=digest_pinned(plan.spec), program=None if source is None else digest_text(source))


def summarize_plan(records: RunRecords, known: PinnedDigests | None) -> PlanSummary | None:
    """Return what `decide` needs from the plan. `known` are the digests that the status has of it."""
    plan = records.plan
    if plan is None:
        return None
    return PlanSummary(
        digest=records.plan_digest,
        objects=plan.objects,
        bytes=plan.bytes,
        shards=plan.shards,
        imbalance_bytes=plan.imbalance_bytes,
        partitions=plan.partitions,
        tasks_per_pod=plan.spec.get("tasksPerPod", 1),
        is_small=is_small_job(plan.spec, plan.bytes, plan.shards),
        several_pods=why_several_pods(plan.spec, plan.bytes, plan.shards),
        has_chaos="chaos" in plan.spec,
        pinned=known or digest_plan(plan),
    )


def summarize_shuffle(manifest: ShuffleManifest) -> ShuffleSummary:
    """Return what `decide` needs from the shuffle manifest."""
    return ShuffleSummary(
        generation=manifest.generation,
        partitions=len(manifest.partitions),
        map_generations=manifest.map_generations,
        partition_bytes=manifest.partition_bytes,
        imbalance_bytes=manifest.imbalance_bytes,
        hash_imbalance_bytes=manifest.hash_imbalance_bytes,
    )


def summarize_skew(records: RunRecords) -> tuple[HeavyKeyView, ...]:
    """Return the heaviest keys, each with its partition in the shuffle manifest."""
    return tuple(
        HeavyKeyView(key=heavy.key, share=heavy.share, partition=find_partition(heavy, records.manifest))
        for heavy in records.sums.skew.heaviest()
    )


def find_partition(heavy: KeyShare, manifest: ShuffleManifest | None) -> int | None:
    """Return the partition of a key; None while there is no manifest."""
    if manifest is None:
        return None
    if manifest.ranges is not None:
        return bisect_right(manifest.ranges, heavy.encoded)
    return next((index for index, buckets in enumerate(manifest.partitions) if heavy.bucket in buckets), None)


def view_post_mortem(run: Run) -> PostMortemView | None:
    """Return the URIs of the run's post-mortem, if it is written."""
    if not run.records.has_post_mortem:
        return None
    return PostMortemView(uri=run.work.uri_of(POST_MORTEM_KEY), attempts_uri=run.work.uri_of(ATTEMPTS_TABLE_KEY))


def unreadable_faults(run: Run) -> tuple[Fault, ...]:
    """Return a fault about the first of the run's objects that is not the record that belongs there.

    A run with an intent needs no other records any more.
    """
    found = run.records.unreadable
    return (found[min(found)].as_fault(),) if found and run.records.intent is None else ()


async def plan_faults(job: JobView, run: Run, cluster: Cluster) -> tuple[Fault, ...]:
    """Return a fault if the plan is not this run's: pods are made of what it says, so the API server must vouch for it.

    The status has the digest of the plan that was adopted, and then only that one counts. Before that, a plan that this
    process did not write must have the job's own spec and program, and name the output as the spec does.
    """
    plan, named = run.records.plan, read_plan_digest(job.status, run.run_id)
    if plan is None:
        return ()
    uri = run.work.uri_of(PLAN_KEY)
    try:
        check_plan(plan, run.identity, uri)
    except ActionError as error:
        return (error.as_fault(),)
    if named is not None:
        if named == run.records.plan_digest:
            return ()
        return (mismatch(f"the plan at {uri} is not the one this run started with"),)
    if run.records.plan_digest == run.records.written_plan:
        return ()
    other = find_difference(plan, job, await pin_program(job, cluster))
    return () if other is None else (mismatch(f"the plan at {uri} is not made of this job's {other}"),)


def find_difference(plan: Plan, job: JobView, program: Program) -> str | None:
    """Return what a plan has from elsewhere than the job; None if it can be the job's plan."""
    spec = job.spec
    changed = spec_changed(plan.spec, job.raw_spec)
    if changed:
        return ", ".join(changed)
    if plan.program != program:
        return "spec.program"
    output = (plan.output_uri, plan.if_exists, plan.output_format, plan.output_compression)
    wanted = (as_prefix(spec.output.uri), spec.output.if_exists, spec.output.format, spec.output.compression)
    return None if output == wanted else "spec.output"


def mismatch(what: str) -> Fault:
    """Return the fault of a run whose plan is another's."""
    message = f"{what}: find out who writes there, and set a new spec.runId to start over"
    return Fault(reason="PlanMismatch", message=message, permanent=True)


def as_fault(error: ActionError | PodreduceError) -> Fault:
    """Return an error as the fault that an author sees. The store's refusals and impossible names are permanent."""
    if isinstance(error, ActionError):
        return error.as_fault()
    return Fault(reason=error.reason, message=str(error), permanent=isinstance(error, StorageDeniedError | InputError))
