"""Why a job waits, is slow or failed, in words, each with the next command.

Rule: pure. The findings come from the job's conditions and status, its pods, its events and the post-mortem. Each
`find_` yields what it finds about one subject, and nothing if there is nothing to say.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from podreduce.contract.post_mortem import Attempt, AttemptResult
from podreduce.contract.task import TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.api.times import parse_time
from podreduce_operator.cli.cluster.findings import Case, Finding
from podreduce_operator.cli.cluster.remedies import IN_JOB, NOT_STARTED
from podreduce_operator.cli.cluster.run_facts import (
    Ending,
    count_tasks,
    find_ending,
    find_last_failure,
    find_wait,
    is_wanted_run,
    message_of,
    read_duration,
    read_tasks,
    spec_of,
    wanted_run_id,
)
from podreduce_operator.cli.report import SKEWED_SHARE, explains
from podreduce_operator.cli.wording import render_bytes, render_counts, render_seconds
from podreduce_operator.model.pods import PodPhase
from podreduce_operator.policy.run_conditions import SEVERAL_PODS
from podreduce_operator.policy.run_state import is_condition_true
from podreduce_operator.policy.spec_change import SPEC_CHANGED
from podreduce_operator.policy.stuck_pods import explain_waiting

__all__ = [
    "diagnose",
    "find_failed_attempts",
    "find_failure",
    "find_misunderstood",
    "find_not_begun",
    "find_notes",
    "find_skew",
    "find_suspension",
    "find_untaken",
    "find_wait_reason",
]

Json = Mapping[str, Any]

CLEANUP_FAILED = "CleanupFailed"

UNSEEN_SECONDS = 10.0
"""An operator that serves a job writes its status sooner."""

SILENT_SECONDS = 300.0
"""An operator writes the status of a job more often when something of it ends."""

FIND_OPERATOR = "see whether podreduce's operator runs, and whether its value `namespaces` has this namespace"
LIST_OPERATORS = "kubectl get deployments -A -l app.kubernetes.io/name=podreduce"

SLOW_FACTOR = 3
MIN_SLOW_SECONDS = 60.0
"""A task is called slow if it runs this many times as long as the median of its like, and at least so long."""

MAX_EVENTS = 3

REPLAYED = frozenset({"ProgramError", "ProgramInvalid", "SetupFailed", "InputError", "TooManyBadRecords"})
"""Reasons for which a task is likely to fail in the same way on another machine."""


def diagnose(case: Case) -> list[Finding]:
    """Return the findings, the most important first. There is at least one."""
    finders = (
        find_untaken,
        find_unnoticed_ends,
        find_not_begun,
        find_misunderstood,
        find_failure,
        find_suspension,
        find_wait_reason,
        find_waiting_pods,
        find_failed_attempts,
        find_slow_tasks,
        find_skew,
        find_narrow_run,
        find_where_time_went,
        find_completion,
        find_notes,
    )
    found = [finding for find in finders for finding in find(case)]
    return [*(found or [describe_progress(case)]), *find_several_pods(case)]


def find_untaken(case: Case) -> Iterator[Finding]:
    """Find a job that no operator has taken."""
    created = parse_time(case.job["metadata"].get("creationTimestamp")) or case.now
    if not case.status and case.now - created >= UNSEEN_SECONDS:
        yield Finding(
            text=f"no operator has taken this {case.noun} in {render_seconds(case.now - created)}",
            details=[*tell_warnings(case)],
            remedy=FIND_OPERATOR,
            command=LIST_OPERATORS,
        )


def find_unnoticed_ends(case: Case) -> Iterator[Finding]:
    """Find that all pods of a run have ended, and its status still calls tasks active: nobody writes it."""
    active = count_tasks(case.status, "active")
    written = parse_time((case.status.get("wave") or {}).get("observedAt"))
    if has_ended(case) or not active or written is None or case.now - written < SILENT_SECONDS:
        return
    if not case.unknown and not any(pod.is_active for pod in case.pods):
        yield Finding(
            text="all its pods have ended, and no operator has noticed: its status is of "
            f"{render_seconds(case.now - written)} ago",
            remedy=FIND_OPERATOR,
            command=LIST_OPERATORS,
        )


def find_not_begun(case: Case) -> Iterator[Finding]:
    """Find a new run that has not begun."""
    if case.status and not is_wanted_run(case.job):
        known = case.status.get("runId")
        text = f"run {wanted_run_id(case.job)} is asked for, and has not begun: the status is of run {known}"
        yield Finding(text=text, details=[*tell_warnings(case)], command=case.command("status", "--watch"))


def find_misunderstood(case: Case) -> Iterator[Finding]:
    """Find a spec that the operator does not understand."""
    reason, message = message_of(case.status, "SpecNotUnderstood")
    if reason:
        yield Finding(text=f"the operator does not understand the spec: {message}")


def find_failure(case: Case) -> Iterator[Finding]:
    """Find why the run failed: the program's own error first."""
    reason, message = message_of(case.status, "Failed")
    if not reason:
        return
    last = find_last_failure(case.status)
    if last is None or not explains(last, reason):
        remedy = case.remedies.get(reason, f"docs/troubleshooting.md says what {reason} means")
        yield Finding(text=f"{reason}: {message}", remedy=f"{remedy}; then {case.describe_next_run(reason)}")
        return
    remedy = case.remedies.get(last["reason"]) or case.remedies.get(reason, "correct the cause")
    yield Finding(
        text=tell_error(last),
        details=[*tell_record(last)],
        remedy=f"{remedy}; then {case.describe_next_run(last['reason'])}",
        command=case.command("events") if last["reason"] in NOT_STARTED else case.command("logs", last["task"]),
        more=[*tell_attempt(last), f"the run ended with {reason}: {message}", *tell_replay(case, last)],
    )


def tell_replay(case: Case, failure: Json) -> Iterator[str]:
    """Yield how the task runs again here, if the program or the input is at fault."""
    if failure["reason"] in REPLAYED:
        maps = ["--maps"] if failure["task"].startswith(TaskType.REDUCE.letter) else []
        yield f"the same task again, here, in a debugger: {case.command('replay', failure['task'], *maps, '--pdb')}"


def tell_error(failure: Json) -> str:
    """Return an attempt's error, with the last place of the program's code if it has a traceback."""
    places = re.findall(r'File "([^"\n]+)", line (\d+)', failure.get("traceback", ""))
    return ":".join([*(places[-1] if places else ()), f" {failure['message']}"]).strip()


def tell_record(failure: Json) -> Iterator[str]:
    """Yield the record at which an attempt failed."""
    if failure.get("record"):
        yield f"at the record: {failure['record']}"


def tell_attempt(failure: Json) -> Iterator[str]:
    """Yield which attempt failed, and the traceback."""
    code = f", exit code {failure['exitCode']}" if "exitCode" in failure else ""
    yield f"in the task {failure['task']} ({failure['attempt']}{code}): {failure['reason']}"
    yield from failure.get("traceback", "").rstrip("\n").splitlines()


def find_suspension(case: Case) -> Iterator[Finding]:
    """Find that the job is suspended."""
    if spec_of(case.job).get("suspend") and not has_ended(case):
        yield Finding(
            text="it is suspended: no pods run, and what is committed stays",
            remedy="let it go on",
            command=case.command_to_change("resume"),
        )


def find_wait_reason(case: Case) -> Iterator[Finding]:
    """Find what the operator waits for."""
    reason, message = find_wait(case.status)
    if reason:
        remedy = case.remedies.get(reason, "")
        if remedy and reason in IN_JOB:
            remedy += f"; if it is in the job: {case.describe_next_run(reason)}"
        yield Finding(text=f"it waits: {reason}: {message}", remedy=remedy, command=case.command("events"))


def find_waiting_pods(case: Case) -> Iterator[Finding]:
    """Find pods that do not start, if the operator has not said so yet."""
    waiting = explain_waiting(case.pods, case.now)
    if waiting is None or find_wait(case.status)[0] == waiting.reason or has_ended(case):
        return
    pod = next(pod for pod in case.pods if f"pod {pod.name}" in waiting.message)
    yield Finding(
        text=waiting.message,
        remedy=case.remedies.get(waiting.reason, ""),
        command=f"kubectl describe pod {pod.name} -n {case.job['metadata']['namespace']}",
    )


def find_failed_attempts(case: Case) -> Iterator[Finding]:
    """Find attempts that failed in a run that goes on, or has become complete."""
    failed = count_tasks(case.status, "failed")
    if not failed or is_condition_true(case.status, "Failed"):
        return
    last = find_last_failure(case.status)
    details = [] if last is None else [f"the last one: {tell_error(last)}", *tell_record(last)]
    again = case.status.get("nextAttemptAt")
    if again is not None and not has_ended(case):
        details.append(f"the next attempt begins at {again}")
    remedy = "" if last is None else case.remedies.get(last["reason"], "")
    text = f"{render_count(failed, 'attempt')} failed, and the tasks are tried again"
    if has_ended(case):
        text = f"{render_count(failed, 'attempt')} failed, and later ones went well"
    more = [] if last is None else [*tell_attempt(last)]
    yield Finding(text=text, details=details, remedy=remedy, command=case.command("logs", "--failed"), more=more)


def find_slow_tasks(case: Case) -> Iterator[Finding]:
    """Find pods that run much longer than the others of their type."""
    if has_ended(case):
        return
    for task_type in TaskType:
        ages = {
            pod: case.now - pod.started_at
            for pod in case.pods
            if pod.is_active and pod.phase is PodPhase.RUNNING and pod.task.type is task_type and pod.started_at
        }
        usual = median(ages.values()) if len(ages) > 1 else 0.0
        for pod, age in sorted(ages.items(), key=lambda known: -known[1])[:1]:
            if usual and age >= max(MIN_SLOW_SECONDS, SLOW_FACTOR * usual):
                yield Finding(
                    text=f"{pod.task} runs for {render_seconds(age)} on {pod.node}; the {task_type} tasks that run now "
                    f"have run for {render_seconds(usual)} in the median",
                    remedy="its log shows what it does; spec.speculation starts a twin of a slow task",
                    command=case.command("logs", str(pod.task)),
                )


def find_skew(case: Case) -> Iterator[Finding]:
    """Find a key with so much of the data that its reduce task delays the run."""
    for heavy in (case.status.get("skew") or ())[:1]:
        if heavy["share"] > SKEWED_SHARE:
            task = f"r-{heavy['partition']}" if "partition" in heavy else "one reduce task"
            yield Finding(
                text=f"the key {heavy['key']} has {heavy['share']:.0%} of the shuffled data, and {task} takes it all",
                remedy="a combiner, combine_func or combine_batch makes it less; see Skew in docs/troubleshooting.md",
            )


def find_narrow_run(case: Case) -> Iterator[Finding]:
    """Find that few tasks can run at a time."""
    parallelism = spec_of(case.job).get("parallelism")
    if parallelism is None or has_ended(case):
        return
    for task_type in TaskType:
        tasks = read_tasks(case.status, task_type)
        left = (tasks.get("total") or 0) - tasks.get("succeeded", 0)
        if tasks.get("active", 0) >= parallelism and left > 2 * parallelism:
            tasks_left = render_count(left, f"{task_type} task")
            yield Finding(
                text=f"{tasks_left} left, and spec.parallelism lets {parallelism} run at a time",
                remedy="raise spec.parallelism: it takes effect at once",
            )


def find_where_time_went(case: Case) -> Iterator[Finding]:
    """Find in the post-mortem which tasks took longest, and how long pods waited."""
    if case.post_mortem is None:
        return
    totals = case.post_mortem.totals
    if totals.pending_seconds > totals.running_seconds and totals.pending_seconds > MIN_SLOW_SECONDS:
        yield Finding(
            text=f"its pods waited {render_seconds(totals.pending_seconds)} for nodes, and ran "
            f"{render_seconds(totals.running_seconds)}, all together",
            remedy="lower what podTemplate requests, or lower parallelism; on a larger cluster it is faster",
        )
    for task_type in TaskType:
        yield from find_longest(case, task_type, case.post_mortem.timeline)


def find_longest(case: Case, task_type: TaskType, timeline: Sequence[Attempt]) -> Iterator[Finding]:
    """Find a committed task that took much longer than the median of its type."""
    committed = {
        attempt: attempt.running_seconds
        for attempt in timeline
        if attempt.result is AttemptResult.COMMITTED and attempt.running_seconds and is_of(attempt, task_type)
    }
    usual = median(committed.values()) if len(committed) > 1 else 0.0
    longest = max(committed, key=lambda attempt: committed[attempt], default=None)
    if longest is None or not usual or committed[longest] < max(MIN_SLOW_SECONDS, SLOW_FACTOR * usual):
        return
    read = "" if longest.bytes_in is None else f", and read {render_bytes(longest.bytes_in)}"
    yield Finding(
        text=f"{longest.task} took {render_seconds(committed[longest])} on {longest.node}{read}; the median of the "
        f"{task_type} tasks is {render_seconds(usual)}",
        command=case.command("logs", longest.task),
    )


def is_of(attempt: Attempt, task_type: TaskType) -> bool:
    """Tell whether an attempt is of a task of this type."""
    return attempt.task.startswith(f"{task_type.letter}-")


def find_completion(case: Case) -> Iterator[Finding]:
    """Find that the run is complete."""
    if find_ending(case.job) is not Ending.COMPLETE:
        return
    output = case.status.get("output") or {}
    seconds = render_seconds(read_duration(case.status, case.now) or 0.0)
    yield Finding(
        text=f"it is complete, in {seconds}: {render_counts(output)} in {output.get('uri')}",
        command=case.command("output", "--head", "10"),
    )


def find_notes(case: Case) -> Iterator[Finding]:
    """Find what is worth knowing, whatever the run does."""
    for kind in ("EmptyOutput", SPEC_CHANGED, CLEANUP_FAILED):
        reason, message = message_of(case.status, kind)
        if reason and not (kind == CLEANUP_FAILED and is_told_as_failure(case.status)):
            again = case.command_to_change("rerun") if kind == SPEC_CHANGED else ""
            yield Finding(text=f"{kind}: {message}", command=again)
    if case.program_change and not is_condition_true(case.status, SPEC_CHANGED):
        yield Finding(text=f"{SPEC_CHANGED}: {case.program_change}", command=case.command_to_change("rerun"))
    bad = case.status.get("badRecords") or {}
    if bad.get("count"):
        yield Finding(text=f"{render_count(bad['count'], 'bad record')} skipped: {bad['uri']}")


def is_told_as_failure(status: Json) -> bool:
    """Tell whether the store kept the run from being planned. The same then keeps the operator from cleaning up."""
    return message_of(status, "Failed")[0].startswith("Storage") and "planDigest" not in status


def find_several_pods(case: Case) -> Iterator[Finding]:
    """Find why a job does not run in one pod, as small jobs do. It is no fault, so it comes last."""
    reason, message = message_of(case.status, SEVERAL_PODS)
    if reason:
        remedy = "leave these fields out if the work is short: one pod then takes all tasks, and starts once"
        yield Finding(text=f"several pods: {message}", remedy=remedy if reason == "SeveralTasksAsked" else "")


def describe_progress(case: Case) -> Finding:
    """Return where a run stands about which nothing else is to be said."""
    phase = case.status.get("phase", "not begun")
    command = case.command("status", "--watch")
    return Finding(text=f"nothing is wrong: it is {phase}, and nothing keeps it", command=command)


def has_ended(case: Case) -> bool:
    """Tell whether the run is complete or has failed."""
    return find_ending(case.job) in {Ending.COMPLETE, Ending.FAILED}


def tell_warnings(case: Case) -> Iterator[str]:
    """Yield the newest warnings."""
    warnings = [event for event in case.events if event.kind == "Warning"]
    yield from (f"event {event.reason}: {event.message}" for event in warnings[-MAX_EVENTS:])
