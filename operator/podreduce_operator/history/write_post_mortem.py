"""Keeps attempts during a run, and writes its post-mortem: one object for people, and one table of all attempts.

Rule: the post-mortem is made after the run's end from stored records (kept attempts, commits, failures, saved logs) and
from the pods that still exist. Its object is written last, as evidence that the rest is written. All steps may be
repeated.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import structlog

from podreduce.contract.attempts import AttemptBatch, AttemptRecord
from podreduce.contract.errors import ObjectNotFoundError, ObjectTooLargeError
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
from podreduce.contract.wire import digest_bytes, encode, encode_readable
from podreduce.storage import in_batches
from podreduce_operator.cluster.interface import Cluster
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.history.attempt_merge import KeptAttempts
from podreduce_operator.history.attempt_results import gather_sources, list_attempts
from podreduce_operator.history.attempts_table import ROW_GROUP_ATTEMPTS, write_attempts_table
from podreduce_operator.history.post_mortem import EndedRun, Tally, build_post_mortem
from podreduce_operator.model.errors import ActionError
from podreduce_operator.policy.attempt_record import kept_stage
from podreduce_operator.policy.run_state import read_conditions, read_run_state
from podreduce_operator.runs.run import Run
from podreduce_operator.runs.stored_records import decode_record, read_bytes

__all__ = ["LOG_TAIL_LINES", "keep_attempts", "write_post_mortem"]

KEEP_SECONDS = 5.0
"""How long keeping a batch may take. Deletions wait for it, and a store that hangs must not delay them."""

BATCH_ATTEMPTS = 1000
"""About 400 KB, which even a slow store can write in that time."""

LOG_SECONDS = 2.0
"""How long to wait for a pod's log. On a dead node it would take half a minute."""
CONCURRENT_READS = 32
CONCURRENT_BATCHES = 8
MOST_BATCHES = 100_000
"""How many objects with kept attempts are read. A pass makes one, when attempts have come to a new stage."""
MAX_SAVED_BYTES = 1 << 20
"""A saved log has at most 256 KiB."""
LEFT_OUT = "kept attempts left out of the post-mortem"
LOG_TAIL_LINES = 100
MAX_LOG_BYTES = 32 * 1024

log = structlog.get_logger(__name__)


async def keep_attempts(run: Run, attempts: Sequence[AttemptRecord]) -> None:
    """Write what is known of these attempts. Batches already written stay if a later one fails.

    Raises:
        ActionError: the store does not write it in time.
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
        message = f"{run.work.uri_of(key)} could not be written within {KEEP_SECONDS:.0f} s: check that the store is up"
        raise ActionError("StorageUnavailable", message, permanent=False) from error
    run.records.kept.update({record.attempt_id: kept_stage(record) for record in attempts})


async def write_post_mortem(run: Run, cluster: Cluster, present: Sequence[AttemptRecord]) -> None:
    """Write the table and the post-mortem; `present` are the attempts whose pods still exist."""
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
    await run.work.put_async(POST_MORTEM_KEY, await asyncio.to_thread(encode_post_mortem, run, plan, tally, logs))
    run.records.kept.clear()


def make_table(run: Run, plan: Plan, kept: KeptAttempts, tally: Tally) -> bytes:
    """Return the table of all attempts, built one row group at a time, and add each attempt to the tally."""
    sources = gather_sources(
        kept=kept,
        commits=run.records.commits,
        outdated=run.records.outdated,
        failures=[failure for failures in run.records.failures.values() for failure in failures],
    )

    def tallied_groups() -> Iterator[Sequence[Attempt]]:
        for group in list_attempts(sources, ROW_GROUP_ATTEMPTS):
            tally.add(group)
            yield group

    return write_attempts_table(plan.job, tallied_groups())


async def read_kept(run: Run) -> KeptAttempts:
    """Return everything kept of each attempt. It reads a few batches at a time to limit memory."""
    kept = KeptAttempts()

    async def read(key: str) -> tuple[str, bytes] | None:
        try:
            return run.work.uri_of(key), await read_bytes(run.work, key, AttemptBatch)
        except ActionError as error:
            log.warning(LEFT_OUT, error=str(error))
            return None

    number = 0
    async for listed in in_batches(run.work.list_async(ATTEMPTS_PREFIX), CONCURRENT_BATCHES):
        if kept.is_full or number >= MOST_BATCHES:
            log.warning(LEFT_OUT, error=f"{run.work.uri_of(ATTEMPTS_PREFIX)} has more attempts than a run makes")
            break
        number += len(listed)
        found = await gather_bounded([partial(read, each.key) for each in listed], limit=CONCURRENT_BATCHES)
        await asyncio.to_thread(add_batches, kept, [each for each in found if each is not None])
    return kept


def add_batches(kept: KeptAttempts, batches: Iterable[tuple[str, bytes]]) -> None:
    """Add the attempts of these batches, in their order. One that cannot be read costs only its own attempts."""
    for uri, data in batches:
        try:
            kept.add(decode_record(data, AttemptBatch, uri).attempts)
        except ActionError as error:
            log.warning(LEFT_OUT, error=str(error))


async def read_logs(
    run: Run, cluster: Cluster, attempts: Sequence[Attempt], present: set[str]
) -> dict[str, Sequence[str]]:
    """Return the last log lines of these attempts, by attempt id: the saved ones, or the pod's."""

    async def read(attempt: Attempt) -> Sequence[str]:
        try:
            key = log_key(TaskRef.parse(attempt.task), attempt.attempt_id)
            text = (await run.work.get_small_async(key, MAX_SAVED_BYTES)).decode(errors="replace")
        except (ObjectNotFoundError, ObjectTooLargeError):
            is_present = attempt.attempt_id in present
            text = await read_pod_log(run, cluster, attempt.attempt) if is_present else ""
        return last_lines(text)

    tails = await gather_bounded([partial(read, attempt) for attempt in attempts], limit=CONCURRENT_READS)
    return {attempt.attempt_id: tail for attempt, tail in zip(attempts, tails, strict=True)}


async def read_pod_log(run: Run, cluster: Cluster, pod: str) -> str:
    """Return a pod's last log lines; empty if its node does not answer in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOG_SECONDS):
            return await cluster.read_log_tail(run.job, pod, LOG_TAIL_LINES)
    return ""


def last_lines(text: str) -> Sequence[str]:
    """Return the last lines of a log, at most 32 KiB."""
    return text.encode()[-MAX_LOG_BYTES:].decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]


def encode_post_mortem(run: Run, plan: Plan, tally: Tally, logs: Mapping[str, Sequence[str]]) -> bytes:
    """Return the post-mortem's bytes."""
    manifest = run.records.manifest
    ended = EndedRun(
        plan=plan,
        plan_digest=run.records.plan_digest,
        partitions=None if manifest is None else len(manifest.partitions),
        state=read_run_state(run.job.status, run.run_id),
        conditions=read_conditions(run.job.status),
        commits=run.records.commits.values(),
        counters=run.records.sums.counters.sums,
        failures=failures_by_attempt(run),
        logs=logs,
    )
    return encode_readable(build_post_mortem(ended, tally))


def failures_by_attempt(run: Run) -> dict[str, FailureRecord]:
    """Index the failure records by attempt id."""
    return {failure.attempt_id: failure for failures in run.records.failures.values() for failure in failures}
