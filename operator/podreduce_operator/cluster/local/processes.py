"""The cluster of a local run: processes on this machine replace pods, and the one job is in memory.

Rule: keeps the same promises as the Kubernetes cluster, checked by the same conformance suite. Names are locks, and
deletes need the UID. A stopped attempt is seen as deleted, and a killed one as failed. No process outlives `close` or
the engine.
"""

import asyncio
import itertools
import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_DNS, uuid4, uuid5

import msgspec

from podreduce.contract.environment import StorageSettings
from podreduce.contract.process_variables import INTERPRETER_VARIABLES
from podreduce.contract.task import TERMINATION_MESSAGE_BYTES, TaskOutcome
from podreduce.contract.wire import decode_json
from podreduce_operator.cluster.interface import JobStorage, PodWarning
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.machine import count_oom_kills, share_memory_bytes
from podreduce_operator.cluster.local.notices import (
    EventRecorded,
    LineWritten,
    PodEnded,
    PodStarted,
    StatusWritten,
    Tell,
)
from podreduce_operator.cluster.local.task_process import TASK_COMMAND, TaskProcess
from podreduce_operator.cluster.progress_board import ProgressBoard, read_progress_line
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodRequest, PodView, Requests

__all__ = ["INSTALLATION", "ProcessCluster", "find_text", "keep"]

INSTALLATION = f"local-{uuid5(NAMESPACE_DNS, f'{platform.node()}/{os.getuid()}').hex[:8]}"
"""Names the machine and user, because a local run must not remove the claims of other users or machines."""

STOP_GRACE_SECONDS = 3.0
KILLED_EXIT_CODE = 137


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A pod's process and where its files are."""

    process: TaskProcess
    scratch: Path
    oom_kills: int | None

    @property
    def termination_log(self) -> Path:
        """The file where the task writes why it failed."""
        return self.scratch / "termination-log"


class ProcessCluster:
    """Runs the pods of one job.

    Args:
        work_directory: for intermediate data, scratch files and logs.
        memory_bytes: what each process may use; by default an equal share of the free memory.
        environ: variables of every process, besides those of this one.
    """

    runs_images = False
    starts_pods = False

    def __init__(
        self,
        *,
        job: JobView,
        config_maps: Mapping[str, Mapping[str, str]],
        work_directory: Path,
        parallelism: int,
        tell: Tell,
        memory_bytes: int | None = None,
        command: Sequence[str] = TASK_COMMAND,
        fork_server: ForkServer | None = None,
        work_uri: str | None = None,
        stop_grace_seconds: float = STOP_GRACE_SECONDS,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.job = job
        self.environ = environ
        self.config_maps = config_maps
        self.work_directory = work_directory
        self.memory_bytes = memory_bytes or share_memory_bytes(parallelism)
        self.tell = tell
        self.command = command
        self.fork_server = fork_server
        self.work_uri = work_uri
        self.stop_grace_seconds = stop_grace_seconds
        self.board = ProgressBoard()
        self.pods: dict[str, PodView] = {}
        self.attempts: dict[str, Attempt] = {}
        self.turns: dict[str, PodView] = {}
        self.watching: set[asyncio.Task[None]] = set()
        self.stopping: set[asyncio.Task[None]] = set()

    async def find_job(self, key: JobKey) -> JobView | None:
        """Return the job, with its last status."""
        return self.job if key == self.job.key else None

    def is_unread(self, key: JobKey, uid: str) -> bool:
        """Return False, because a job that is not understood does not start."""
        del key, uid
        return False

    async def list_pods(self, job: JobView) -> tuple[PodView, ...]:
        """Return all pods that still exist."""
        return tuple(self.pods.values()) if job.uid == self.job.uid else ()

    async def find_pod(self, job: JobView, name: str) -> PodView | None:
        """Return the pod with this name, if there is one. The list here is always current."""
        return self.pods.get(name) if job.uid == self.job.uid else None

    def progress_of(self, pods: Sequence[PodView]) -> Mapping[str, AttemptProgress]:
        """Return the progress from the processes' last progress lines."""
        return self.board.of(pods)

    async def last_warning(self, job: JobView, pod: PodView) -> PodWarning | None:
        """Return None, because a process starts or is refused at once."""
        del job, pod
        return None

    async def create_pod(self, request: PodRequest) -> None:
        """Start the attempt's process. It is done if the same attempt already has a pod with this name."""
        present = self.pods.get(request.name)
        if present is not None:
            if present.deleting or present.run_hash != request.run_hash:
                message = f"{request.name}: the name is taken by a pod that is being deleted: waiting for its end"
                raise ActionError("PodNameTaken", message, permanent=False)
            return
        pod = pending_pod(request, Requests(memory_bytes=self.memory_of(request)))
        self.pods[pod.name] = self.turns[pod.uid] = pod
        try:
            attempt = await self.start_process(pod, request)
        except OSError as error:
            del self.pods[pod.name], self.turns[pod.uid]
            message = f"{pod.name}: cannot start a process: {error}"
            raise ActionError("ProcessNotStarted", message, permanent=False) from error
        self.attempts[pod.uid] = attempt
        self.pods[pod.name] = replace(self.pods[pod.name], phase=PodPhase.RUNNING, started_at=time.time())
        self.tell(PodStarted(pod=self.pods[pod.name]))
        keep(self.watching, asyncio.create_task(self.watch(pod.name, attempt)))
        if self.pods[pod.name].deleting:
            self.stop(attempt)

    async def start_process(self, pod: PodView, request: PodRequest) -> Attempt:
        """Create the attempt's directory and start its task."""
        scratch = self.make_directory("scratch") / pod.uid
        scratch.mkdir()
        environment = msgspec.structs.replace(
            request.environment,
            pod_uid=pod.uid,
            pod_name=pod.name,
            memory_bytes=self.memory_of(request),
            scratch_directory=str(scratch),
            side_directory=str(self.work_directory / "side-inputs"),
            program_directory=str(self.work_directory),
            termination_log=str(scratch / "termination-log"),
        )
        process = await TaskProcess.start(
            self.command,
            {
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                **INTERPRETER_VARIABLES,
                **self.environ,
                **environment.to_environ(),
            },
            self.make_directory("logs") / f"{pod.name}.log",
            lambda line: self.take_line(pod, line),
            self.fork_server,
        )
        return Attempt(process=process, scratch=scratch, oom_kills=count_oom_kills())

    def take_line(self, pod: PodView, line: str) -> None:
        """Handle a line that a process wrote. It may be a progress line."""
        turn, report = self.turns.get(pod.uid, pod), read_progress_line(line)
        if report is not None and report.attempt_id in turn.attempt_ids:
            self.board.take(report)
            sequence = turn.attempt_ids.index(report.attempt_id)
            turn = self.turns[pod.uid] = replace(pod, task=turn.all_tasks[sequence], sequence=sequence)
        self.tell(LineWritten(task=turn.task, attempt_id=turn.attempt_id, line=line))

    def memory_of(self, request: PodRequest) -> int:
        """Return how many bytes the pod's process may use."""
        return int(self.memory_bytes * request.memory_factor)

    def make_directory(self, name: str) -> Path:
        """Return a directory in the work directory, and create it if needed."""
        directory = self.work_directory / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    async def watch(self, name: str, attempt: Attempt) -> None:
        """Wait for the process, then update its pod. A deleted pod is gone when its process ends."""
        code = await attempt.process.wait()
        pod = finished_pod(self.pods[name], code, attempt)
        if pod.deleting:
            self.forget(name)
        else:
            self.pods[name] = pod
        log = attempt.process.log
        if code == 0 or pod.deleting:
            log.path.unlink(missing_ok=True)
        self.tell(PodEnded(pod=pod, killed=pod.deleting, log="\n".join(log.tail)))
        await asyncio.to_thread(shutil.rmtree, attempt.scratch, ignore_errors=True)

    async def delete_pod(self, job: JobView, name: str, uid: str, *, force: bool = False) -> None:
        """Stop the pod's process if the UID matches. A finished pod is gone at once. `force` makes no difference."""
        del force
        pod = self.pods.get(name)
        if pod is None or pod.uid != uid or pod.deleting or job.uid != self.job.uid:
            return
        if pod.is_finished:
            self.forget(name)
            return
        self.pods[name] = replace(pod, deleting=True)
        attempt = self.attempts.get(uid)
        if attempt is not None:
            self.stop(attempt)

    def stop(self, attempt: Attempt) -> None:
        """End the process without waiting for it."""
        keep(self.stopping, asyncio.create_task(attempt.process.stop(self.stop_grace_seconds)))

    def forget(self, name: str) -> None:
        """Forget the pod, its name and the tail of its log."""
        pod = self.pods.pop(name)
        self.attempts.pop(pod.uid, None)
        self.turns.pop(pod.uid, None)
        for attempt_id in pod.attempt_ids:
            self.board.forget(attempt_id)

    async def delete_job(self, job: JobView) -> None:
        """Do nothing: the job is in a file."""

    async def read_log_tail(self, job: JobView, name: str, lines: int) -> str:
        """Return the last lines that the process wrote."""
        pod = self.pods.get(name)
        attempt = self.attempts.get(pod.uid) if pod is not None and job.uid == self.job.uid else None
        if attempt is None:
            return ""
        tail = attempt.process.log.tail
        return "\n".join(itertools.islice(tail, max(0, len(tail) - lines), None))

    async def read_source(self, job: JobView, config_map: str, key: str) -> str:
        """Return the program's text from a ConfigMap in the job's file."""
        return find_text(self.config_maps, job.key, config_map, key)

    async def read_storage(self, job: JobView) -> JobStorage:
        """Return where intermediate data goes. The AWS_* variables configure S3."""
        del job
        work_uri = self.work_uri or f"file://{self.make_directory('store').absolute()}/"
        return JobStorage(work_uri=work_uri, installation=INSTALLATION, settings=StorageSettings())

    async def write_status(self, job: JobView, status: Mapping[str, Any]) -> bool:
        """Keep the status in memory. Nobody else writes it."""
        if job.uid != self.job.uid:
            return False
        self.job = replace(self.job, status=status)
        self.tell(StatusWritten(status=status))
        return True

    async def record_event(self, job: JobView, kind: str, reason: str, message: str) -> None:
        """Pass the event on."""
        del job
        self.tell(EventRecorded(kind=kind, reason=reason, message=message))

    async def close(self) -> None:
        """Stop every running process, and wait until all have ended."""
        for name, pod in list(self.pods.items()):
            await self.delete_pod(self.job, name, pod.uid)
        while self.watching or self.stopping:
            await asyncio.gather(*self.watching, *self.stopping)


def find_text(config_maps: Mapping[str, Mapping[str, str]], owner: JobKey, name: str, key: str) -> str:
    """Return a program's text from the ConfigMaps in the owner's file.

    Raises:
        ActionError: there is no such ConfigMap, or it has no such key.
    """
    data = config_maps.get(name)
    if data is None:
        message = f"{owner}: the file has no ConfigMap {name!r}: add it there after a line ---"
        raise ActionError("ProgramNotFound", message, permanent=True)
    if key not in data:
        message = f"{owner}: ConfigMap {name!r} has no key {key!r}, only {', '.join(sorted(data))}"
        raise ActionError("ProgramNotFound", message, permanent=True)
    return data[key]


def keep(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    """Keep a reference to `task` until it is done, because the event loop keeps none."""
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def pending_pod(request: PodRequest, requests: Requests) -> PodView:
    """Return the pod before its process runs."""
    return PodView(
        name=request.name,
        uid=str(uuid4()),
        run_hash=request.run_hash,
        task=request.environment.task,
        tasks=request.environment.tasks if request.environment.more_tasks else (),
        ordinal=request.ordinal,
        generation=request.environment.generation,
        phase=PodPhase.PENDING,
        created_at=time.time(),
        node=platform.node(),
        requests=requests,
    )


def finished_pod(pod: PodView, code: int, attempt: Attempt) -> PodView:
    """Return the pod after its process ended with `code`."""
    out_of_memory = code == KILLED_EXIT_CODE and not pod.deleting and was_oom_killed(attempt.oom_kills)
    return replace(
        pod,
        phase=PodPhase.FAILED if code else PodPhase.SUCCEEDED,
        exit_code=code,
        finished_at=time.time(),
        reason="OOMKilled" if out_of_memory else ("Error" if code else "Completed"),
        outcome=read_outcome(attempt.termination_log),
    )


def was_oom_killed(kills_before: int | None) -> bool:
    """Tell whether the kernel killed any process for lack of memory since this one started."""
    kills = count_oom_kills()
    return kills is not None and kills_before is not None and kills > kills_before


def read_outcome(termination_log: Path) -> TaskOutcome | None:
    """Read why the task failed; None if it left no readable message."""
    try:
        with termination_log.open("rb") as file:
            return decode_json(file.read(TERMINATION_MESSAGE_BYTES), TaskOutcome)
    except (OSError, msgspec.DecodeError):
        return None
