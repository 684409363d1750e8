"""Builds the list of a run's attempts, ordered by time, from kept records, commits and failure records.

Rule: pure. Nothing is guessed: what no record says is None. An attempt has at least one of the three kinds of record.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.post_mortem import Attempt, AttemptResult
from podreduce.contract.task import CommitRecord, FailureRecord, TaskRef
from podreduce_operator.history.attempt_merge import KeptAttempts, narrow
from podreduce_operator.model.pods import PodPhase
from podreduce_operator.policy.attempt_record import is_stopped

__all__ = ["AttemptSources", "gather_sources", "list_attempts", "moment"]

R = AttemptResult

EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_799.0
"""The years 1 to 9999, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What one attempt left. `record` is merged from all its kept records."""

    task: TaskRef
    record: AttemptRecord | None
    commit: CommitRecord | None
    failure: FailureRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSources:
    """What all attempts left, as stored: there may be hundreds of thousands.

    Attributes:
        committed: commits by attempt id.
        failed: failure records by attempt id.
        winners: the commit of the newest generation, by task.
        outdated: the attempts whose commits no longer count.
        lost: tasks and generations whose output is gone.
    """

    kept: KeptAttempts
    committed: Mapping[str, CommitRecord]
    failed: Mapping[str, FailureRecord]
    winners: Mapping[TaskRef, CommitRecord]
    outdated: AbstractSet[str]
    lost: AbstractSet[tuple[TaskRef, int]]

    def traces_of(self, attempt_id: str) -> Traces:
        """Return what one attempt left."""
        record, commit = self.kept.get(attempt_id), self.committed.get(attempt_id)
        failure = self.failed.get(attempt_id)
        task = next(one.task for one in (record, commit, failure) if one is not None)
        return Traces(task, record, commit, failure)


def gather_sources(
    *,
    kept: KeptAttempts,
    commits: Mapping[TaskRef, CommitRecord],
    outdated: AbstractSet[str],
    failures: Iterable[FailureRecord],
) -> AttemptSources:
    """Index the records of a run's attempts."""
    records = list(failures)
    return AttemptSources(
        kept=kept,
        committed={commit.attempt_id: commit for commit in commits.values() if not commit.is_carried},
        failed={failure.attempt_id: failure for failure in records if not is_lost_part(failure)},
        winners=commits,
        outdated=outdated,
        lost={(one.lost.task, one.lost.generation) for one in records if one.lost is not None},
    )


def list_attempts(sources: AttemptSources, group_attempts: int) -> Iterator[list[Attempt]]:
    """Yield all attempts with a record, ordered by time, in groups of `group_attempts` to limit memory."""
    ids = {*sources.kept.ids, *sources.committed, *sources.failed}
    ordered = sorted((first_time(sources.traces_of(attempt_id)), attempt_id) for attempt_id in ids)
    for start in range(0, len(ordered), group_attempts):
        group = ordered[start : start + group_attempts]
        yield [describe(attempt_id, sources.traces_of(attempt_id), sources) for _, attempt_id in group]


def is_lost_part(failure: FailureRecord) -> bool:
    """Tell whether a failure record is about a committed part that the store dropped later. No attempt failed then."""
    return failure.lost is not None and failure.lost.task == failure.task


def describe(attempt_id: str, traces: Traces, sources: AttemptSources) -> Attempt:
    """Return everything known of one attempt."""
    record, commit, failure = traces.record, traces.commit, traces.failure
    known: dict[str, Any] = {"generation": narrow(generation_of(traces), 32)}
    result = find_result(attempt_id, traces, sources)
    if record is not None:
        known |= describe_pod(record)
    if record is not None and result is not R.COMMITTED:
        known |= {"reason": record.reason, "message": record.message}
    if failure is not None:
        known |= describe_failure(failure, known)
    if commit is not None:
        known |= describe_commit(commit)
    return with_durations(Attempt(task=str(traces.task), attempt_id=attempt_id, result=result, **known))


def generation_of(traces: Traces) -> int:
    """Return the generation that the attempt worked for."""
    return next(one.generation for one in (traces.record, traces.commit, traces.failure) if one is not None)


def find_result(attempt_id: str, traces: Traces, sources: AttemptSources) -> AttemptResult:
    """Return the result of an attempt."""
    record, generation = traces.record, generation_of(traces)
    if traces.commit is not None or attempt_id in sources.outdated:
        is_lost = attempt_id in sources.outdated or (traces.task, generation) in sources.lost
        return R.LOST if is_lost else R.COMMITTED
    if traces.failure is not None:
        return R.FAILED
    winner = sources.winners.get(traces.task)
    if winner is not None and winner.generation >= generation:
        return R.BEATEN
    if record is not None and record.phase == PodPhase.FAILED and not is_stopped(record):
        return R.FAILED
    return R.STOPPED if record is not None and record.why_deleted else R.VANISHED


def describe_pod(record: AttemptRecord) -> dict[str, Any]:
    """Return what the pod's records say."""
    return {
        "attempt": record.pod_name,
        "ordinal": narrow(record.ordinal, 32),
        "node": record.node,
        "phase": record.phase,
        "exit_code": narrow(record.exit_code, 32),
        "created_at": moment(record.created_at),
        "scheduled_at": moment(record.scheduled_at),
        "started_at": moment(record.started_at),
        "finished_at": moment(record.finished_at),
        "deleted_at": moment(record.deleted_at),
        "why_deleted": record.why_deleted,
        "cpu_requested": None if record.cpu_millis is None else record.cpu_millis / 1000,
        "memory_requested_bytes": record.memory_bytes,
    }


def describe_failure(failure: FailureRecord, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the failure record says. The pod's exit code and end time come first if known."""
    return {
        "attempt": failure.pod_name,
        "ordinal": failure.ordinal,
        "reason": failure.reason,
        "message": failure.message,
        "counted": failure.counted,
        "exit_code": failure.exit_code if known.get("exit_code") is None else known["exit_code"],
        "finished_at": known.get("finished_at") or moment(failure.finished_at),
    }


def describe_commit(commit: CommitRecord) -> dict[str, Any]:
    """Return what the commit says. Its times are more exact than a pod's, which are whole seconds."""
    return {
        "attempt": commit.pod_name,
        "started_at": moment(commit.started_at),
        "finished_at": moment(commit.finished_at),
        "records_in": commit.records_in,
        "bytes_in": commit.bytes_in,
        "records_out": commit.records_out,
        "bytes_out": commit.bytes_out,
        "spills": commit.spills,
        "bad_records": 0 if commit.quarantine is None else commit.quarantine.records,
    }


def with_durations(attempt: Attempt) -> Attempt:
    """Return the attempt with the seconds it spent pending, starting and running; None if a time is unknown."""
    placed, started = attempt.scheduled_at, attempt.started_at
    ended = attempt.finished_at or attempt.deleted_at
    never_ran = None if started is not None else ended
    return msgspec.structs.replace(
        attempt,
        pending_seconds=seconds_between(attempt.created_at, placed or never_ran),
        starting_seconds=seconds_between(placed or (attempt.created_at if started else None), started or never_ran),
        running_seconds=seconds_between(started, ended),
    )


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds between two times, to the millisecond; None if one is unknown."""
    return None if start is None or end is None else round((end - start).total_seconds(), 3)


def first_time(traces: Traces) -> float:
    """Return the first known time of an attempt, in seconds since the epoch; infinity if none is known."""
    record, commit, failure = traces.record, traces.commit, traces.failure
    of_pod = () if record is None else (record.created_at, record.scheduled_at)
    of_task = () if commit is None else (commit.started_at, commit.finished_at)
    of_its_end = () if record is None else (record.started_at, record.finished_at)
    recorded = () if failure is None else (failure.finished_at,)
    deleted = () if record is None else (record.deleted_at,)
    times = (*of_pod, *of_task, *of_its_end, *recorded, *deleted)
    return next((round(time, 3) for time in times if time is not None), float("inf"))


def moment(seconds: float | None) -> datetime | None:
    """Return seconds since the epoch as a UTC time, to the millisecond: the nearest one that there is."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(round(min(max(seconds, EARLIEST), LATEST), 3), UTC)
