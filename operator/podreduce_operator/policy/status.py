"""Builds the job's status from what is observed and the verdict.

Rule: pure. The status is under 10 KB for any number of tasks, because every field has a limit. A terminal run's status
stays as it was written, because its records are removed after the ttl.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from podreduce.contract.task import CommitRecord, FailureRecord, TaskType
from podreduce.contract.texts import cut_middle, render_count
from podreduce_operator.api.times import parse_time, render_duration, render_time
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import PodView
from podreduce_operator.policy.bad_record_limit import count_bad_records, has_bad_records
from podreduce_operator.policy.conditions import Condition, write_conditions
from podreduce_operator.policy.counter_totals import BUILT_IN_GROUP, group_totals, is_measure, total_counters
from podreduce_operator.policy.empty_output import EMPTY_OUTPUT, describe_empty_output
from podreduce_operator.policy.run_conditions import MAX_MESSAGE, run_conditions
from podreduce_operator.policy.run_state import find_condition, may_start_over, read_conditions, read_installation
from podreduce_operator.policy.spec_change import SPEC_CHANGED, describe_changes, render_digests
from podreduce_operator.policy.wave_progress import describe_wave

__all__ = ["build_status", "compress_indexes", "with_spec_error"]

MAX_FAILURES = 10
MAX_LAST_MESSAGE = 1000
"""The limit for the last failure, which is the one to act on. Every podreduce message with its data fits."""
MAX_FAILURE_MESSAGE = 100
MAX_WORDS = 1300
"""The limit for the last message plus a traceback. Long messages are podreduce's own and have no traceback."""
MIN_TRACEBACK = 300
MAX_RECORD = 250
MAX_OLD_RECORD = 120
MAX_INDEXES = 400
MAX_URI = 512
MAX_LINKS = 512
MAX_COUNTERS = 20
MAX_GROUP_NAME = 25
MAX_COUNTER_NAME = 40

SPEC_NOT_UNDERSTOOD = "SpecNotUnderstood"
SPEC_REMEDY = "correct the spec, or make the operator and the CRD of one version"
ENDINGS = ("Complete", "Failed", "Suspended")


def build_status(
    observed: Observed, verdict: Verdict, now: float, pinned_spec: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the job's whole status; `pinned_spec` is the spec in the plan, if there is a plan."""
    previous = observed.job.status
    status = dict(previous)
    if not (observed.is_store_unreadable and may_start_over(observed.job, observed.run_id)):  # only the store can tell
        status["observedGeneration"] = observed.job.generation
    if observed.run.terminal is None and observed.superseded is None:
        if previous.get("runId") != observed.run_id or may_start_over(observed.job, observed.run_id):
            status = {
                "observedGeneration": observed.job.generation,
                "installation": read_installation(previous),
                "specRunId": name_request(observed),
                "conditions": [],
            }
        status.update(render_run(observed, verdict, status, now))
    status["successor"] = name_successor(observed)
    if not observed.is_store_unreadable:
        status["postMortem"] = render_post_mortem(observed)
    status["digests"] = render_digests(observed, status)
    status["conditions"] = render_conditions(
        observed,
        verdict,
        read_conditions(status),
        now,
        changed=describe_changes(observed, pinned_spec, status),
        empty=describe_empty_output(status) if verdict.phase is Phase.COMPLETE else "",
    )
    return with_wave({name: value for name, value in status.items() if value is not None}, observed, verdict, now)


def name_request(observed: Observed) -> str | None:
    """Return the `spec.runId` that a new run is made for, if it has another name."""
    wanted = observed.job.spec.run_id
    return None if observed.run_id == wanted else wanted


def name_successor(observed: Observed) -> str | None:
    """Return the run that replaces the one in the status, if its author has not named it."""
    is_own = observed.superseded is not None and observed.run_id != observed.job.spec.run_id
    return observed.run_id if is_own else None


def with_wave(status: dict[str, Any], observed: Observed, verdict: Verdict, now: float) -> dict[str, Any]:
    """Return the status with how far the tasks that run are; without that if none do."""
    rest = {name: value for name, value in status.items() if name != "wave"}
    is_written = rest != {name: value for name, value in observed.job.status.items() if name != "wave"}
    wave = describe_wave(observed, verdict.phase, status.get("wave"), now, is_written=is_written)
    return rest if wave is None else {**rest, "wave": wave}


def render_run(observed: Observed, verdict: Verdict, status: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return the fields about the run in progress. If the store could not be read, the old ones stay."""
    started_at = None if verdict.phase is Phase.SUSPENDED else status.get("startTime", render_time(now))
    fields: dict[str, Any] = {
        "runId": observed.run_id,
        "phase": str(phase_while_blind(verdict, status) if observed.is_store_unreadable else verdict.phase),
        "startTime": started_at,
        "nextAttemptAt": None if verdict.next_attempt_at is None else render_time(verdict.next_attempt_at),
    }
    if verdict.is_terminal:
        took = render_duration(now - (parse_time(started_at) or now))
        fields |= {"phase": str(verdict.phase), "completionTime": render_time(now), "duration": took}
        fields |= {kind: {**status[kind], "active": 0} for kind in ("map", "reduce") if kind in status}
    if observed.is_store_unreadable:
        return fields
    if observed.plan is not None:
        fields |= render_planned(observed, observed.plan, verdict, status)
    if observed.shuffle is not None:
        fields["shuffle"] = {
            "generation": observed.shuffle.generation,
            "imbalance": round(observed.shuffle.imbalance_bytes),
            "hashImbalance": round(observed.shuffle.hash_imbalance_bytes),
        }
    if observed.skew:
        fields["skew"] = render_skew(observed)
    if has_bad_records(observed):
        count = count_bad_records(observed.commits.values())
        fields["badRecords"] = {"count": count, "uri": cut(observed.quarantine_uri, MAX_URI)}
    fields["failures"] = render_failures(observed)
    if observed.published is not None:
        output = observed.published
        fields["output"] = {"uri": output.uri, "records": output.records, "bytes": output.bytes}
        if output.files:
            fields["output"]["files"] = output.files
    return fields


def render_planned(
    observed: Observed, plan: PlanSummary, verdict: Verdict, status: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the plan, and how far its tasks are."""
    pods = [] if verdict.is_terminal else observed.active_pods  # those that are left are stopped, and told no more
    return {
        "planDigest": plan.digest,
        "plan": {
            "objects": plan.objects,
            "bytes": plan.bytes,
            "shards": plan.shards,
            "imbalance": round(plan.imbalance_bytes),
        },
        "map": render_tasks(observed, TaskType.MAP, plan.shards, pods),
        "reduce": render_tasks(observed, TaskType.REDUCE, reduce_total(observed, verdict, status), pods),
        "failedAttempts": sum(failure.counted for failures in observed.failures.values() for failure in failures),
        "counters": render_counters(observed.commits.values(), observed.counters),
    }


def phase_while_blind(verdict: Verdict, status: Mapping[str, Any]) -> str:
    """Return the phase of a run whose store cannot be read: the old one, unless it is suspended or goes on."""
    known = status.get("phase", verdict.phase)
    return str(verdict.phase if Phase.SUSPENDED in (verdict.phase, known) else known)


def render_post_mortem(observed: Observed) -> dict[str, str] | None:
    """Return the URIs of the run's post-mortem and of its attempts table, if they are short enough."""
    found = observed.post_mortem
    if found is None or len(found.uri) > MAX_LINKS:
        return None
    table = {"attemptsUri": found.attempts_uri} if len(found.uri + found.attempts_uri) <= MAX_LINKS else {}
    return {"uri": found.uri, **table}


def reduce_total(observed: Observed, verdict: Verdict, status: Mapping[str, Any]) -> int | None:
    """Return how many reduce tasks there are; None until the packing has chosen the number."""
    if verdict.reduce_total is not None:
        return verdict.reduce_total
    if observed.shuffle is not None:
        return observed.shuffle.partitions
    known = status.get("reduce", {}).get("total")
    return known if known is not None or observed.plan is None else observed.plan.partitions


def render_tasks(
    observed: Observed, task_type: TaskType, total: int | None, active_pods: Sequence[PodView]
) -> dict[str, Any]:
    """Return the counts of the tasks of one type. `progress` is for the printer column."""
    done = sorted(task.index for task in observed.commits if task.type is task_type)
    failed = sum(
        failure.counted
        for task, failures in observed.failures.items()
        if task.type is task_type
        for failure in failures
    )
    fields: dict[str, Any] = {
        "progress": f"{len(done)}/{'?' if total is None else total}",
        "active": sum(1 for pod in active_pods if pod.task.type is task_type),
        "succeeded": len(done),
        "failed": failed,
        "completedIndexes": compress_indexes(done),
    }
    if total is not None:
        fields["total"] = total
    carried = sum(commit.is_carried for task, commit in observed.commits.items() if task.type is task_type)
    return fields | ({"carried": carried} if carried else {})


def compress_indexes(indexes: Sequence[int]) -> str:
    """Return ascending `indexes` as batch/v1 writes them, such as `0-4,7`. Cut at 400 characters with `…`."""
    parts: list[str] = []
    start = 0
    for position, index in enumerate(indexes):
        if position + 1 < len(indexes) and indexes[position + 1] == index + 1:
            continue
        first = indexes[start]
        parts.append(str(index) if first == index else f"{first}-{index}")
        start = position + 1
    text = ",".join(parts)
    return text if len(text) <= MAX_INDEXES else f"{text[:MAX_INDEXES].rpartition(',')[0]},…"


def render_counters(
    commits: Iterable[CommitRecord], of_tasks: Mapping[tuple[str, str], int]
) -> dict[str, dict[str, int]]:
    """Return the counters of committed attempts. At most `MAX_COUNTERS` names are shown, podreduce's own first.

    Those that tasks count themselves are added up already, by group and name.
    """
    totals = total_counters(commits, of_tasks)
    for key in [key for key in totals if key[0] == BUILT_IN_GROUP and not is_measure(*key)]:
        del totals[key]
    rendered: dict[str, dict[str, int]] = {}
    for group, counters in group_totals(totals, MAX_COUNTERS).items():
        shown = rendered.setdefault(cut(group, MAX_GROUP_NAME), {})
        shown |= {cut(name, MAX_COUNTER_NAME): value for name, value in counters.items()}
    return rendered


def render_skew(observed: Observed) -> list[dict[str, Any]]:
    """Return the heaviest keys, the heaviest first."""
    return [
        {"key": heavy.key, "share": round(heavy.share, 3)}
        | ({} if heavy.partition is None else {"partition": heavy.partition})
        for heavy in observed.skew
    ]


def render_failures(observed: Observed) -> list[dict[str, Any]]:
    """Return the last failed attempts, newest first. The first is shown in full, and so is the newest traceback."""
    records = [failure for failures in observed.failures.values() for failure in failures]
    newest = sorted(records, key=lambda failure: (failure.finished_at, failure.attempt_id), reverse=True)
    told = next((failure for failure in newest[:MAX_FAILURES] if failure.traceback), None)
    return [
        render_failure_entry(failure, is_last=not number)
        | (render_place(failure, newest[0]) if failure is told or not number else {})
        for number, failure in enumerate(newest[:MAX_FAILURES])
    ]


def render_failure_entry(failure: FailureRecord, *, is_last: bool) -> dict[str, Any]:
    """Return one failed attempt as the status shows it."""
    entry: dict[str, Any] = {
        "task": str(failure.task),
        "attempt": failure.pod_name,
        "reason": failure.reason,
        "message": cut_middle(failure.message, MAX_LAST_MESSAGE if is_last else MAX_FAILURE_MESSAGE),
        "counted": failure.counted,
        "finishedAt": render_time(failure.finished_at),
    }
    if failure.exit_code is not None:
        entry["exitCode"] = failure.exit_code
    return entry


def render_place(failure: FailureRecord, last: FailureRecord) -> dict[str, str]:
    """Return the traceback and the record of a failure. The traceback is cut to fit beside the `last` message."""
    message_bytes = len(cut_middle(last.message, MAX_LAST_MESSAGE).encode(errors="replace"))
    place = {
        "traceback": cut_front(failure.traceback, max(MAX_WORDS - message_bytes, MIN_TRACEBACK)),
        "record": cut_middle(failure.record, MAX_RECORD if failure is last else MAX_OLD_RECORD),
    }
    return {name: text for name, text in place.items() if text}


def render_conditions(
    observed: Observed,
    verdict: Verdict,
    previous: Iterable[Mapping[str, Any]],
    now: float,
    *,
    changed: tuple[str, str] | None,
    empty: str,
) -> list[dict[str, Any]]:
    """Return the conditions: three from kstatus, three from batch/v1, and those of our own that apply.

    `changed` is the reason and message of SpecChanged, and `empty` the message of EmptyOutput, if they apply.
    """
    complete, failed = verdict.phase is Phase.COMPLETE, verdict.phase is Phase.FAILED
    suspended = verdict.phase is Phase.SUSPENDED
    reason = verdict.reason or str(verdict.phase)
    message = cut_middle(verdict.message or describe(observed, verdict), MAX_MESSAGE)
    progressing = not verdict.is_terminal and not suspended
    wanted: dict[str, Condition] = {
        "Ready": (complete, reason, message),
        "Reconciling": (progressing, reason, message),
        "Stalled": (failed, reason, message),
        "Complete": (complete, reason, message),
        "Failed": (failed, reason, message),
        "Suspended": (suspended, reason, message),
    }
    if changed:
        wanted[SPEC_CHANGED] = (True, *changed)
    if empty:
        wanted[EMPTY_OUTPUT] = (True, "NothingYielded", empty)
    if observed.job.spec_error:
        text = f"{observed.job.spec_error}; the job goes on with its last spec; {SPEC_REMEDY}"
        wanted[SPEC_NOT_UNDERSTOOD] = (True, "InvalidSpec", cut_middle(text, MAX_MESSAGE))
    known = {condition["type"]: condition for condition in previous}
    wanted |= run_conditions(observed, verdict, known, now)
    # The replaced run stays in the status until it is discarded, so the conditions of its end stay too.
    kept = [dict(known[kind]) for kind in ENDINGS if observed.superseded is not None and kind in known]
    for condition in kept:
        del wanted[condition["type"]]
    return kept + write_conditions(wanted, known, observed.job.generation, now)


def with_spec_error(status: Mapping[str, Any], error: str, generation: int, now: float) -> dict[str, Any]:
    """Return the status of a job that does not run because its spec is not understood."""
    known = find_condition(status, SPEC_NOT_UNDERSTOOD)
    message = cut_middle(f"{error}; nothing is done for this job; {SPEC_REMEDY}", MAX_MESSAGE)
    wanted = {SPEC_NOT_UNDERSTOOD: (True, "InvalidSpec", message)}
    told = write_conditions(wanted, {} if known is None else {SPEC_NOT_UNDERSTOOD: known}, generation, now)
    others = [each for each in read_conditions(status) if each["type"] != SPEC_NOT_UNDERSTOOD]
    return {**status, "conditions": [*others, *told]}


def describe(observed: Observed, verdict: Verdict) -> str:
    """Return one sentence about the run's progress."""
    maps = sum(1 for task in observed.commits if task.type is TaskType.MAP)
    reduces = len(observed.commits) - maps
    output = observed.published
    sentences = {
        Phase.PLANNING: "the input is being listed and cut",
        Phase.MAPPING: f"{maps} of {render_count(verdict.map_total or 0, 'map task')} committed",
        Phase.REDUCING: f"{reduces} of {render_count(verdict.reduce_total or 0, 'reduce task')} committed",
        Phase.COMMITTING: "the output is being published",
        Phase.SUSPENDED: "spec.suspend is true: no pods run; what is committed stays",
        Phase.COMPLETE: "" if output is None else f"{render_count(output.records, 'record')} in {output.uri}",
    }
    limit = describe_limit(observed) if verdict.phase in {Phase.MAPPING, Phase.REDUCING} else ""
    return sentences.get(verdict.phase, "") + limit


def describe_limit(observed: Observed) -> str:
    """Return that the installation lowers the job's parallelism; empty if it does not."""
    wanted, most = observed.job.spec.parallelism, observed.limits.parallelism
    if wanted is None or wanted <= most:
        return ""
    return f"; spec.parallelism is {wanted:,}, and the installation allows {render_count(most, 'pod')} for each job"


def cut(text: str, limit_bytes: int) -> str:
    """Return `text` with its end cut, so that it takes at most `limit_bytes`."""
    data = text.encode(errors="replace")
    if len(data) <= limit_bytes:
        return text
    return data[: limit_bytes - len("…".encode())].decode(errors="ignore") + "…"


def cut_front(text: str, limit_bytes: int) -> str:
    """Return `text` with its start cut in the same way: the end of a traceback says what happened."""
    data = text.encode(errors="replace")
    return text if len(data) <= limit_bytes else "…" + data[len("…".encode()) - limit_bytes :].decode(errors="ignore")
