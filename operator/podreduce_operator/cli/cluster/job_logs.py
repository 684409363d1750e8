"""The logs of the attempts of a job's run, from their pods, and from the store after the pods are gone.

Rule: what is not kept is said, with the reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import FAILURES_PREFIX, LOGS_PREFIX, parse_attempt_name
from podreduce.contract.post_mortem import PostMortem
from podreduce.contract.task import TaskRef
from podreduce.contract.texts import render_count
from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.cluster.log_lines import render_log
from podreduce_operator.cli.cluster.resources import list_pods_of, uid_of
from podreduce_operator.cli.cluster.run_facts import spec_of, status_of, wanted_run_id
from podreduce_operator.cli.cluster.run_store import RunStore, open_run_store, read_post_mortem
from podreduce_operator.cli.cluster.task_names import parse_task
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.pods.pod_manifest import TASK_CONTAINER
from podreduce_operator.pods.pod_names import hash_run
from podreduce_operator.policy.run_state import read_run_id

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = [
    "AttemptLog",
    "FoundLogs",
    "LogOptions",
    "collect_logs",
    "cut",
    "explain_nothing",
    "find_pods",
    "print_logs",
]

Json = dict[str, Any]

KEPT = (
    "kept are the last lines of attempts that failed, and of what others printed, until {ttl:,} s after the run's end "
    "(ttlSecondsAfterFinished)"
)
DEFAULT_TTL = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Which logs are shown, and how.

    Attributes:
        task: as the command line names it; None means all tasks.
        step: of a pipeline; None means all steps.
        only_failed: leave out attempts that did not fail.
        tail: the last lines of each attempt; None means all.
        endpoint: replaces the store's.
    """

    task: str | None = None
    step: str | None = None
    only_failed: bool = False
    tail: int | None = None
    is_raw: bool = False
    endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLog:
    """The log of one attempt, and where it is from."""

    task: TaskRef
    attempt_id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLogs:
    """The logs of a job's run, and what could not be read."""

    logs: list[AttemptLog]
    notes: list[str]


async def collect_logs(connection: "Connection", manifest: Json, options: LogOptions) -> FoundLogs:
    """Return the logs that there are of a job's run, the tasks in order.

    Raises:
        CommandError: the job has no such task.
    """
    task = None if options.task is None else parse_task(options.task, status_of(manifest))
    pods, notes = await find_pods(connection, manifest, task)
    logs = [
        log for pod in pods if wants(pod, options) and (log := await read_pod(connection, pod, options)) is not None
    ]
    try:
        async with open_run_store(connection, manifest, options.endpoint) as store:
            logs += read_kept(store, task, {name for pod in pods for name in pod.attempt_ids}, options)
    except CommandError as error:
        notes.append(f"what the store keeps was not read: {error}")
    return FoundLogs(logs=sorted(logs, key=lambda log: (log.task, log.title)), notes=notes)


async def find_pods(connection: "Connection", manifest: Json, task: TaskRef | None) -> tuple[list[PodView], list[str]]:
    """Return the pods of the run that the status describes, and a note if they may not be listed."""
    run_hash = hash_run(uid_of(manifest), read_run_id(status_of(manifest)) or wanted_run_id(manifest))
    try:
        pods = await list_pods_of(connection, manifest)
    except CommandError as error:
        return [], [f"the pods were not listed: {error}"]
    return [pod for pod in pods if pod.run_hash == run_hash and (task is None or task in pod.all_tasks)], []


def wants(pod: PodView, options: LogOptions) -> bool:
    """Tell whether a pod's log is asked for."""
    return not options.only_failed or pod.phase is PodPhase.FAILED


async def read_pod(connection: "Connection", pod: PodView, options: LogOptions) -> AttemptLog | None:
    """Return the log of a pod; None if it has not started, or is gone."""
    tail = {} if options.tail is None else {"tailLines": str(options.tail)}
    text = await connection.read_log(pod.name, {"container": TASK_CONTAINER, **tail})
    if text is None:
        return None
    tasks = "" if len(pod.all_tasks) == 1 else f" and {render_count(len(pod.all_tasks) - 1, 'more task')}"
    title = f"{pod.task}{tasks}, attempt {pod.ordinal}, pod {pod.name}: {pod.phase.lower()}"
    return AttemptLog(task=pod.task, attempt_id=pod.attempt_id, title=title, text=text)


def read_kept(store: RunStore, task: TaskRef | None, seen: set[str], options: LogOptions) -> list[AttemptLog]:
    """Return the logs that the store keeps of attempts whose pods are gone.

    Raises:
        CommandError: the store cannot be read.
    """
    try:
        kept = list(iter_kept(store, task, seen, options))
        post_mortem = read_post_mortem(store)
    except PodreduceError as error:
        raise store.explain(error) from error
    known = seen | {log.attempt_id for log in kept}
    return [*kept, *([] if post_mortem is None else iter_told(post_mortem, task, known, options))]


def iter_kept(store: RunStore, task: TaskRef | None, seen: set[str], options: LogOptions) -> Iterator[AttemptLog]:
    """Yield the logs below `logs/`."""
    run = store.open_run()
    prefix = LOGS_PREFIX if task is None else f"{LOGS_PREFIX}{task}-"
    failed = {parse_key(found.key, FAILURES_PREFIX)[1] for found in run.list(FAILURES_PREFIX)}
    for found in run.list(prefix):
        of_task, attempt_id = parse_key(found.key, LOGS_PREFIX)
        has_failed = attempt_id in failed
        if attempt_id in seen or (options.only_failed and not has_failed):
            continue
        text = run.get(found.key).decode(errors="replace")
        outcome = "failed" if has_failed else "did not fail"
        title = f"{of_task}, attempt {attempt_id}: {outcome}; its pod is gone, these are its last lines"
        yield AttemptLog(task=of_task, attempt_id=attempt_id, title=title, text=cut(text, options.tail))


def parse_key(key: str, prefix: str) -> tuple[TaskRef, str]:
    """Return the task and the attempt id of a key such as `logs/m-3-<attempt id>.log`."""
    return parse_attempt_name(key.removeprefix(prefix).rpartition(".")[0])


def iter_told(
    post_mortem: PostMortem, task: TaskRef | None, known: set[str], options: LogOptions
) -> Iterator[AttemptLog]:
    """Yield the logs that only the post-mortem has."""
    ids = {(attempt.task, attempt.attempt): attempt.attempt_id for attempt in post_mortem.timeline}
    stopped = () if options.only_failed else post_mortem.stopped
    for outcome, attempts in (("failed", post_mortem.failures), ("stopped when the run failed", stopped)):
        for attempt in attempts:
            of_task, attempt_id = TaskRef.parse(attempt.task), ids.get((attempt.task, attempt.attempt), attempt.attempt)
            if attempt.log and attempt_id not in known and task in {None, of_task}:
                title = f"{of_task}, pod {attempt.attempt}: {outcome}; from the post-mortem"
                text = "\n".join(attempt.log)
                yield AttemptLog(task=of_task, attempt_id=attempt_id, title=title, text=cut(text, options.tail))


def cut(text: str, tail: int | None) -> str:
    """Return the last lines of a text."""
    return text if tail is None else "\n".join(text.splitlines()[-tail:] if tail else [])


def print_logs(logs: Sequence[AttemptLog], options: LogOptions) -> None:
    """Print logs. Each has a title, and that of a single task's single log is not among its lines."""
    for number, log in enumerate(logs):
        if len(logs) == 1 and options.task is not None:
            complain(log.title)
        else:
            say(f"{chr(10) if number else ''}==> {log.title} <==")
        for line in render_log(log.text, is_raw=options.is_raw):
            say(line)


def explain_nothing(manifest: Json, options: LogOptions) -> str:
    """Return why there is no log."""
    what = "no attempt that failed has a log" if options.only_failed else "no log"
    subject = f"{options.task}: {what}" if options.task is not None else what
    kept = KEPT.format(ttl=spec_of(manifest).get("ttlSecondsAfterFinished", DEFAULT_TTL))
    return f"{subject}: a task that has not started has none, and a pod's log goes with the pod; {kept}"
