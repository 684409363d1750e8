"""A job or a schedule as a tree: where it stands, what its tasks do, why it waits, what it has written. Rule: pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from podreduce.contract.task import TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.api.times import parse_time
from podreduce_operator.cli.cluster.kinds import JOB, SCHEDULE, Reference
from podreduce_operator.cli.cluster.resources import name_of
from podreduce_operator.cli.cluster.run_facts import (
    Ending,
    find_ending,
    find_wait,
    is_wanted_run,
    message_of,
    read_duration,
    read_tasks,
    spec_of,
    status_of,
    wanted_run_id,
)
from podreduce_operator.cli.cluster.tree import Branch
from podreduce_operator.cli.wording import render_bytes, render_output, render_seconds
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.policy.run_conditions import SEVERAL_PODS
from podreduce_operator.policy.run_state import is_condition_true
from podreduce_operator.policy.spec_change import SPEC_CHANGED

__all__ = ["build_job", "build_schedule"]

MAX_PODS = 5
"""How many pods of each type are shown. Those that wait come first, then those that run longest."""

NOTES = ("SpecNotUnderstood", SPEC_CHANGED, "EmptyOutput", "CleanupFailed", SEVERAL_PODS)
"""Conditions that a person should know of, whatever the run does."""


def build_job(
    manifest: Mapping[str, Any], pods: Sequence[PodView] | None, now: float, *, program_change: str = ""
) -> Branch:
    """Return a job as a tree. `pods` is None if they may not be listed; `program_change` is a sentence, or empty."""
    status = status_of(manifest)
    parts = [
        *explain(manifest, status),
        *(build_tasks(task_type, status, pods or (), now) for task_type in shown_types(status)),
        *build_output(manifest, status),
        *(Branch(text=f"{kind}: {message_of(status, kind)[1]}") for kind in NOTES if is_condition_true(status, kind)),
    ]
    if program_change and not is_condition_true(status, SPEC_CHANGED):
        parts.append(Branch(text=f"{SPEC_CHANGED}: {program_change}"))
    if pods is None:
        parts.append(Branch(text="the pods may not be listed with these credentials: what they do is not shown"))
    return Branch(text=render_head(manifest, status, now), below=tuple(parts))


def render_head(manifest: Mapping[str, Any], status: Mapping[str, Any], now: float) -> str:
    """Return `mrj/wordcount in team-a: Mapping, run 1, for 2 min 10 s`."""
    metadata, seconds = manifest["metadata"], read_duration(status, now)
    place = f"{Reference(kind=JOB, name=metadata['name'])} in {metadata['namespace']}"
    if "phase" not in status:
        age = now - (parse_time(metadata.get("creationTimestamp")) or now)
        return f"{place}: no status yet, {render_seconds(age)} after it was created"
    text = f"{place}: {status['phase']}, run {status.get('runId')}"
    if seconds is None:
        return text
    is_over = "completionTime" in status
    return f"{text}, {'took' if is_over else 'for'} {render_seconds(seconds)}"


def explain(manifest: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Branch]:
    """Yield why the run waits, is suspended or has failed."""
    if status and not is_wanted_run(manifest):
        yield Branch(text=f"run {wanted_run_id(manifest)} is asked for, and has not begun")
    reason, message = find_wait(status)
    if reason:
        yield Branch(text=f"waits: {reason}: {message}")
    reason, message = message_of(status, "Failed")
    if reason:
        yield Branch(text=f"failed: {reason}: {message}")
    if is_condition_true(status, "Suspended"):
        yield Branch(text=message_of(status, "Suspended")[1])
    if "nextAttemptAt" in status and not is_condition_true(status, "Failed"):
        yield Branch(text=f"the next attempt of a failed task begins at {status['nextAttemptAt']}")


def shown_types(status: Mapping[str, Any]) -> list[TaskType]:
    """Return the types of tasks that the run has; none before the plan."""
    return [task_type for task_type in TaskType if read_tasks(status, task_type).get("total") != 0 and "plan" in status]


def build_tasks(task_type: TaskType, status: Mapping[str, Any], pods: Sequence[PodView], now: float) -> Branch:
    """Return the tasks of one type, and below them the pods that wait or run."""
    text = render_tasks(task_type, status)
    active = [pod for pod in pods if pod.is_active and pod.task.type is task_type]
    ordered = sorted(active, key=lambda pod: (pod.phase is PodPhase.RUNNING, pod.started_at or pod.created_at))
    shown = [Branch(text=render_pod(pod, now)) for pod in ordered[:MAX_PODS]]
    if len(ordered) > MAX_PODS:
        shown.append(Branch(text=f"… and {render_count(len(ordered) - MAX_PODS, 'more pod')}"))
    return Branch(text=text, below=tuple(shown))


def find_ended(status: Mapping[str, Any]) -> bool:
    """Tell whether the run in the status has ended."""
    return is_condition_true(status, Ending.COMPLETE) or is_condition_true(status, Ending.FAILED)


def render_tasks(task_type: TaskType, status: Mapping[str, Any]) -> str:
    """Return `map 46/128 (38%), 4 active, 2 failed attempts, 12.3 GiB of 33.1 GiB, 95.2 MiB/s, about 3 min 40 s left`.

    The status says how far the running tasks are. Of all tasks, the committed ones are counted.
    """
    tasks, wave = read_tasks(status, task_type), find_wave(task_type, status)
    total, done = tasks.get("total"), tasks.get("succeeded", 0)
    percent = wave.get("percent", 100 * done // total if total else None)
    parts = [f"{task_type} {done}/{'?' if total is None else total}{'' if percent is None else f' ({percent}%)'}"]
    if tasks.get("active") and not find_ended(status):
        parts.append(f"{tasks['active']} active")
    if tasks.get("failed"):
        parts.append(render_count(tasks["failed"], "failed attempt"))
    return ", ".join([*parts, *(render_wave(wave) if wave else render_amount(task_type, status))])


def find_wave(task_type: TaskType, status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the status says of the tasks that run, if they are of this type."""
    wave: Mapping[str, Any] = status.get("wave") or {}
    return wave if wave.get("tasks") == task_type else {}


def render_amount(task_type: TaskType, status: Mapping[str, Any]) -> list[str]:
    """Return how much the committed tasks have read."""
    counters = (status.get("counters") or {}).get("podreduce") or {}
    size, records = counters.get(f"{task_type}BytesIn", 0), counters.get(f"{task_type}RecordsIn", 0)
    planned = status["plan"].get("bytes") if task_type is TaskType.MAP else None
    if not size and not records and planned is None:
        return []
    return render_read(size, planned, records)


def render_wave(wave: Mapping[str, Any]) -> Iterator[str]:
    """Yield how much the tasks have done, their speed and the time left."""
    yield from render_read(wave.get("bytes", 0), wave.get("totalBytes"), wave.get("records", 0))
    if wave.get("bytesPerSecond", 0) >= 1:
        yield f"{render_bytes(wave['bytesPerSecond'])}/s"
    if "secondsLeft" in wave:
        yield f"about {render_seconds(wave['secondsLeft']).replace('.0 s', ' s')} left"


def render_read(size: int, planned: int | None, records: int) -> list[str]:
    """Return `12.3 GiB of 33.1 GiB` and the records."""
    of_all = "" if planned is None or planned <= size else f" of {render_bytes(planned)}"
    return [f"{render_bytes(size)}{of_all}", *([render_count(records, "record")] if records else [])]


def render_pod(pod: PodView, now: float) -> str:
    """Return what a pod does: `m-3, attempt 1, runs on node-1 for 12.0 s`."""
    attempt = f"{pod.task}, attempt {pod.ordinal},"
    if pod.phase is PodPhase.RUNNING and pod.started_at is not None:
        return f"{attempt} runs on {pod.node} for {render_seconds(max(0.0, now - pod.started_at))}"
    waited = render_seconds(max(0.0, now - pod.created_at))
    words = ": ".join(word for word in (pod.reason, pod.message) if word)
    return f"{attempt} waits for {waited}: {words or ('it is starting on ' + pod.node if pod.node else 'no node yet')}"


def build_output(manifest: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Branch]:
    """Yield what was published, or where it will be."""
    output = status.get("output")
    uri = (spec_of(manifest).get("output") or {}).get("uri", "")
    if output is None:
        if find_ending(manifest) is not Ending.FAILED:
            yield Branch(text=f"output {uri}: not published yet")
        return
    yield Branch(text=f"output {output.get('uri', uri)}: {render_output(output)}")
    bad = (status.get("badRecords") or {}).get("count", 0)
    if bad:
        yield Branch(text=f"{render_count(bad, 'bad record')} skipped: {status['badRecords']['uri']}")


def build_schedule(manifest: Mapping[str, Any], jobs: Sequence[Branch], now: float) -> Branch:
    """Return a schedule as a tree. `jobs` are the trees of its jobs or pipelines, the newest first."""
    spec, status, metadata = spec_of(manifest), status_of(manifest), manifest["metadata"]
    zone = f" ({spec['timeZone']})" if spec.get("timeZone") else ""
    head = f"{Reference(kind=SCHEDULE, name=name_of(dict(manifest)))} in {metadata['namespace']}"
    is_stalled = is_condition_true(status, "Stalled")
    working = "it makes nothing" if is_stalled else "active" if status else "no status yet"
    state = "suspended" if spec.get("suspend") else working
    times = [
        Branch(text=f"{label}: {status[field]} ({render_distance(status[field], now)})")
        for label, field in (
            ("next", "nextScheduleTime"),
            ("last", "lastScheduleTime"),
            ("last success", "lastSuccessfulTime"),
            ("last missed", "lastMissedTime"),
        )
        if field in status
    ]
    told = [
        Branch(text=f"{reason}: {message}")
        for kind in ("Stalled", "Reconciling", "LastRunFailed", "SpecNotUnderstood")
        for reason, message in [message_of(status, kind)]
        if reason
    ]
    return Branch(text=f"{head}: {state}, {spec.get('schedule')}{zone}", below=(*told, *times, *jobs))


def render_distance(text: str, now: float) -> str:
    """Return `in 2 h 05 min` or `3 min 20 s ago`."""
    at = parse_time(text)
    if at is None:
        return "?"
    return f"in {render_seconds(at - now)}" if at > now else f"{render_seconds(now - at)} ago"
