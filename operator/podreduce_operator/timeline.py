"""The attempts of a run in order of time, put together from what is left of each: kept records, a commit, a failure.

Rule: pure. Nothing is made up: what no record says is None. One attempt may have left all of these or any one of them.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.post_mortem import Attempt, AttemptResult
from podreduce.contract.task import CommitRecord, FailureRecord, TaskRef
from podreduce_operator.attempt_records import kept_stage
from podreduce_operator.model import PodPhase

__all__ = ["add_records", "build_timeline", "moment"]

R = AttemptResult


@dataclass(slots=True)
class Traces:
    """What one attempt has left. The record is the sum of all that were kept of it."""

    task: TaskRef
    record: AttemptRecord | None = None
    commit: CommitRecord | None = None
    failure: FailureRecord | None = None


@dataclass(slots=True)
class Evidence:
    """What all of them have left.

    Attributes:
        commits: by task, that of its newest generation; `outdated` are the attempts whose commits no longer count.
        lost: tasks and generations whose output is gone.
    """

    commits: Mapping[TaskRef, CommitRecord]
    outdated: AbstractSet[str]
    lost: set[tuple[TaskRef, int]] = field(default_factory=set)
    traces: dict[str, Traces] = field(default_factory=dict)

    def of(self, attempt_id: str, task: TaskRef) -> Traces:
        """Return the attempt's traces, to add to them."""
        return self.traces.setdefault(attempt_id, Traces(task))


def build_timeline(
    *,
    kept: Mapping[str, AttemptRecord],
    commits: Mapping[TaskRef, CommitRecord],
    outdated: AbstractSet[str],
    failures: Iterable[FailureRecord],
) -> list[Attempt]:
    """Return every attempt that left a trace, in order of time; `kept` is by attempt id."""
    evidence = Evidence(commits, outdated)
    for record in kept.values():
        evidence.of(record.attempt_id, record.task).record = record
    for commit in commits.values():
        evidence.of(commit.attempt_id, commit.task).commit = commit
    for failure in failures:
        if failure.lost is not None:
            evidence.lost.add((failure.lost.task, failure.lost.generation))
        if not tells_of_lost_part(failure):
            evidence.of(failure.attempt_id, failure.task).failure = failure
    attempts = [describe(attempt_id, traces, evidence) for attempt_id, traces in evidence.traces.items()]
    return sorted(attempts, key=lambda attempt: (first_time(attempt), attempt.attempt_id))


def add_records(kept: dict[str, AttemptRecord], later: Iterable[AttemptRecord]) -> None:
    """Add to what is `kept` of each attempt, by its id, what is said `later`."""
    for record in later:
        known = kept.get(record.attempt_id)
        kept[record.attempt_id] = record if known is None else add_record(known, record)


def add_record(earlier: AttemptRecord, later: AttemptRecord) -> AttemptRecord:
    """Return what both say: the later one knows better, but the first word on the pod's deletion holds.

    Later is who saw the attempt come further, whatever the times say: clocks may be set.
    """
    if kept_stage(earlier) > kept_stage(later):
        earlier, later = later, earlier
    said = {name: value for name, value in msgspec.structs.asdict(later).items() if value not in ("", None)}
    if earlier.deleted_at is not None:
        said["deleted_at"] = earlier.deleted_at
    if earlier.why_deleted:
        said["why_deleted"] = earlier.why_deleted
    return msgspec.structs.replace(earlier, **said)


def tells_of_lost_part(failure: FailureRecord) -> bool:
    """Tell whether a failure is no attempt's, but that of a committed part which the store has dropped since."""
    return failure.lost is not None and failure.lost.task == failure.task


def describe(attempt_id: str, traces: Traces, evidence: Evidence) -> Attempt:
    """Return all that is known of one attempt."""
    record, commit, failure = traces.record, traces.commit, traces.failure
    known: dict[str, Any] = {"generation": generation_of(traces)}
    result = find_result(attempt_id, traces, evidence)
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


def find_result(attempt_id: str, traces: Traces, evidence: Evidence) -> AttemptResult:
    """Say what became of an attempt."""
    record, generation = traces.record, generation_of(traces)
    if traces.commit is not None or attempt_id in evidence.outdated:
        is_lost = attempt_id in evidence.outdated or (traces.task, generation) in evidence.lost
        return R.LOST if is_lost else R.COMMITTED
    if traces.failure is not None:
        return R.FAILED
    winner = evidence.commits.get(traces.task)
    if winner is not None and winner.generation >= generation:
        return R.BEATEN
    if record is not None and record.phase == PodPhase.FAILED:
        return R.FAILED
    return R.STOPPED if record is not None and record.why_deleted else R.VANISHED


def describe_pod(record: AttemptRecord) -> dict[str, Any]:
    """Return what the pod's records say."""
    return {
        "attempt": record.pod_name,
        "ordinal": record.ordinal,
        "node": record.node,
        "phase": record.phase,
        "exit_code": record.exit_code,
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
    """Return what the failure record says; of the end, what its pod did not."""
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
    """Return what the commit says. Its times are finer than a pod's, which are whole seconds."""
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
    """Return the attempt with the time that each part of its life took, as far as both its ends are known."""
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
    """Return the seconds from one time to another, to the millisecond; None where either is unknown."""
    return None if start is None or end is None else round((end - start).total_seconds(), 3)


def first_time(attempt: Attempt) -> float:
    """Return the first that is known of an attempt, in seconds since the epoch; without any it comes last."""
    times = (attempt.created_at, attempt.scheduled_at, attempt.started_at, attempt.finished_at, attempt.deleted_at)
    return next((time.timestamp() for time in times if time is not None), float("inf"))


def moment(seconds: float | None) -> datetime | None:
    """Return seconds since the epoch as a time in UTC, to the millisecond."""
    return None if seconds is None else datetime.fromtimestamp(round(seconds, 3), UTC)
