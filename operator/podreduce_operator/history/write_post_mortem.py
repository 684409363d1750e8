"""The post-mortem of a run: its story in one object for people, and all its attempts in one table.

Rule: made after the run's end from what lasts (kept attempts, commits, failures, saved logs) and from the pods that are
still there. The story is written last: it is the evidence that all is. Repeating any of it is harmless.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from podreduce.contract.attempts import AttemptBatch, AttemptRecord
from podreduce.contract.errors import ObjectNotFoundError
from podreduce.contract.layout import (
    ATTEMPTS_PREFIX,
    ATTEMPTS_TABLE_KEY,
    POST_MORTEM_KEY,
    attempts_key,
    log_key,
)
from podreduce.contract.plan import Plan
from podreduce.contract.post_mortem import Attempt
from podreduce.contract.task import FailureRecord, TaskRef
from podreduce.contract.wire import decode, digest_bytes, encode, encode_readable
from podreduce_operator.cluster.interface import Cluster
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.history.attempt_merge import KeptAttempts
from podreduce_operator.history.attempt_results import gather_evidence, tell_attempts
from podreduce_operator.history.attempts_table import ROW_GROUP_ATTEMPTS, write_attempts_table
from podreduce_operator.history.post_mortem import Tally, build_story
from podreduce_operator.model.errors import ActionError
from podreduce_operator.policy.attempt_record import kept_stage
from podreduce_operator.policy.run_state import read_conditions, read_run_state
from podreduce_operator.runs.run import Run

__all__ = ["LOG_TAIL_LINES", "keep_attempts", "write_post_mortem"]

KEEP_SECONDS = 5.0
"""How long keeping a batch may take: deletions wait for it, and a store that hangs must not hold them up."""

BATCH_ATTEMPTS = 1000
"""Some 400 KB, which also a slow store takes in that time."""

CONCURRENT_READS = 32
LOG_TAIL_LINES = 100
MAX_LOG_BYTES = 32 * 1024


async def keep_attempts(run: Run, attempts: Sequence[AttemptRecord]) -> None:
    """Make durable what is known of these attempts; what is, stays so if the rest fails.

    Raises:
        ActionError: the store does not take it in time.
    """
    for start in range(0, len(attempts), BATCH_ATTEMPTS):
        await keep_batch(run, attempts[start : start + BATCH_ATTEMPTS])


async def keep_batch(run: Run, attempts: Sequence[AttemptRecord]) -> None:
    """Write one object, and remember what is in it."""
    data = encode(AttemptBatch(attempts=tuple(attempts)))
    key = attempts_key(attempts[0].kept_at, digest_bytes(data))
    try:
        async with asyncio.timeout(KEEP_SECONDS):
            await run.work.put_async(key, data)
    except TimeoutError as error:
        words = f"{run.work.uri_of(key)} could not be written within {KEEP_SECONDS:.0f} s: see whether the store is up"
        raise ActionError("StorageUnavailable", words, permanent=False) from error
    run.records.kept.update({record.attempt_id: kept_stage(record) for record in attempts})


async def write_post_mortem(run: Run, cluster: Cluster, present: Sequence[AttemptRecord]) -> None:
    """Write table and story; `present` are the attempts whose pods are still there."""
    plan = run.records.plan
    if plan is None:
        return
    await run.records.relist()
    kept = await read_kept(run)
    kept.add(present)
    tally = Tally()
    await run.work.put_async(ATTEMPTS_TABLE_KEY, await asyncio.to_thread(make_table, run, plan, kept, tally))
    del kept
    logs = await read_logs(run, cluster, [*tally.failed, *tally.stopped], {record.attempt_id for record in present})
    await run.work.put_async(POST_MORTEM_KEY, await asyncio.to_thread(tell, run, plan, tally, logs))
    run.records.kept.clear()


def make_table(run: Run, plan: Plan, kept: KeptAttempts, tally: Tally) -> bytes:
    """Return the table of all attempts, made row group by row group; add each of them to the tally."""
    evidence = gather_evidence(
        kept=kept,
        commits=run.records.commits,
        outdated=run.records.outdated,
        failures=[failure for failures in run.records.failures.values() for failure in failures],
    )

    def told_groups() -> Iterator[Sequence[Attempt]]:
        for group in tell_attempts(evidence, ROW_GROUP_ATTEMPTS):
            tally.add(group)
            yield group

    return write_attempts_table(plan.job, told_groups())


async def read_kept(run: Run) -> KeptAttempts:
    """Return all that was kept of each attempt; a few batches at a time, for together they are large."""
    kept = KeptAttempts()
    keys = sorted([found.key async for found in run.work.list_async(ATTEMPTS_PREFIX)])
    for start in range(0, len(keys), CONCURRENT_READS):
        reads = [partial(run.work.get_async, key) for key in keys[start : start + CONCURRENT_READS]]
        batches = await gather_bounded(reads, limit=CONCURRENT_READS)
        await asyncio.to_thread(add_batches, kept, batches)
    return kept


def add_batches(kept: KeptAttempts, batches: Iterable[bytes]) -> None:
    """Add the attempts of these batches, in their order."""
    for data in batches:
        kept.add(decode(data, AttemptBatch).attempts)


async def read_logs(
    run: Run, cluster: Cluster, attempts: Sequence[Attempt], present: set[str]
) -> dict[str, Sequence[str]]:
    """Return the last log lines of these attempts, by attempt id: those that were saved, or the pod's own."""

    async def read(attempt: Attempt) -> Sequence[str]:
        try:
            saved = await run.work.get_async(log_key(TaskRef.parse(attempt.task), attempt.attempt_id))
            text = saved.decode(errors="replace")
        except ObjectNotFoundError:
            is_present = attempt.attempt_id in present
            text = await cluster.read_log_tail(run.job, attempt.attempt, LOG_TAIL_LINES) if is_present else ""
        return last_lines(text)

    tails = await gather_bounded([partial(read, attempt) for attempt in attempts], limit=CONCURRENT_READS)
    return {attempt.attempt_id: tail for attempt, tail in zip(attempts, tails, strict=True)}


def last_lines(text: str) -> Sequence[str]:
    """Return the end of a log, in lines: 32 KiB at most."""
    return text.encode()[-MAX_LOG_BYTES:].decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]


def tell(run: Run, plan: Plan, tally: Tally, logs: Mapping[str, Sequence[str]]) -> bytes:
    """Return the story as it is stored."""
    manifest = run.records.manifest
    story = build_story(
        plan=plan,
        plan_digest=run.records.plan_digest,
        partitions=None if manifest is None else len(manifest.partitions),
        run=read_run_state(run.job.status, run.run_id),
        conditions=read_conditions(run.job.status),
        tally=tally,
        failures=failures_by_attempt(run),
        logs=logs,
    )
    return encode_readable(story)


def failures_by_attempt(run: Run) -> dict[str, FailureRecord]:
    """Return the failure records by attempt id."""
    return {failure.attempt_id: failure for failures in run.records.failures.values() for failure in failures}
