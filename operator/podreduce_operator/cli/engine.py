"""The local engine: runs the operator's loop on a cluster of processes, until the job ends or is interrupted.

Rule: the loop is the operator's (`Reconciler`). It is only started, woken, watched and stopped here.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import run_prefix
from podreduce.contract.plan import JobIdentity
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cli import bad_records, kept_run, post_mortem
from podreduce_operator.cli.watcher import Watcher
from podreduce_operator.cli.workspace import Workspace
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.notices import Notice, PodEnded
from podreduce_operator.cluster.local.processes import ProcessCluster
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.actions import Action, CommitOutput
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.limits import Limits, PendingDeadlines
from podreduce_operator.runs.output_claim import Claim, release_output

__all__ = [
    "PASS_PAUSE_SECONDS",
    "STATUS_INTERVAL_SECONDS",
    "LocalJob",
    "Outcome",
    "Stop",
    "first_of",
    "last_status",
    "listen",
    "local_limits",
    "run_engine",
]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

STATUS_INTERVAL_SECONDS = 0.5
"""Short, because people watch it; but each write takes passes of the loops, and what tasks say is shown at once."""
PASS_PAUSE_SECONDS = 0.0
"""A pass asks no API server here. A tiny job makes ten of them, and the event loop sleeps a millisecond at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended: its last status, and whether it was interrupted."""

    status: Mapping[str, Any]
    interrupted: bool


@dataclass(slots=True)
class Stop:
    """Requests to stop. The first waits for a running commit; the second stops at once.

    Attributes:
        requested: the first signal has come.
        forced: the second signal has come.
        committing: the output is being committed.
        ended: the loop is stopped and must not be woken again.
    """

    requested: asyncio.Event
    forced: asyncio.Event
    committing: bool = False
    ended: bool = False

    def take_signal(self) -> None:
        """Handle a signal."""
        (self.forced if self.requested.is_set() else self.requested).set()

    def note_commit(self, moment: str, action: Action) -> None:
        """Note that the output is being committed. From then on it is best to finish."""
        del moment
        self.committing = self.committing or isinstance(action, CommitOutput)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalJob:
    """A job on this machine.

    Attributes:
        view: the job.
        config_maps: those in its file, by name and key.
        workspace: for what it needs while it runs.
        parallelism: how many tasks run at a time.
        memory_bytes: what each task may use; None: a share of the free memory.
        fork_server: starts the tasks; None: each starts an interpreter of its own.
        work_uri: where intermediate data goes; None: into the workspace.
        environ: what the tasks get besides this process's variables.
    """

    view: JobView
    config_maps: Mapping[str, Mapping[str, str]]
    workspace: Workspace
    parallelism: int
    memory_bytes: int | None = None
    fork_server: ForkServer | None = None
    work_uri: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


async def run_engine(local: LocalJob, watcher: Watcher, *, catches_signals: bool = True) -> Outcome:
    """Run the job to its end. If interrupted, stop every process and remove everything except published output.

    Intermediate data at a `work_uri` is removed at the end. Only the main thread can catch signals.
    """
    stop, job = Stop(requested=asyncio.Event(), forced=asyncio.Event()), local.view

    def tell(notice: Notice) -> None:
        watcher.take(notice)
        if isinstance(notice, PodEnded) and not stop.ended:
            reconciler.wake(job.key)

    cluster = open_cluster(local, tell)
    reconciler = open_reconciler(cluster, local.parallelism, stop)
    with listen(stop) if catches_signals else nullcontext():
        finished = await run_loop(reconciler, cluster, job, stop, watcher)
        status = await last_status(cluster, local.workspace, watcher.view.say) if finished else cluster.job.status
        if finished and local.work_uri is not None:
            await reconciler.remove_data(job)
    return Outcome(status=status, interrupted=not finished)


async def run_loop(reconciler: Reconciler, cluster: ProcessCluster, job: JobView, stop: Stop, watcher: Watcher) -> bool:
    """Run the job until it has ended or was interrupted, and end all processes. False if it was interrupted."""
    drawing = asyncio.create_task(watcher.draw_regularly())
    try:
        finished = await settle(reconciler, job, stop)
        stop.ended = True
        if not finished:
            watcher.view.say("interrupted: stopping the tasks and removing unfinished output", "warning")
            await undo(reconciler, cluster, job, stop)
    finally:
        stop.ended = True
        drawing.cancel()
        await reconciler.close()
        await cluster.close()
    return finished


def open_cluster(local: LocalJob, tell: Callable[[Notice], None]) -> ProcessCluster:
    """Return the cluster of processes that the job's tasks run in."""
    return ProcessCluster(
        job=local.view,
        config_maps=local.config_maps,
        work_directory=local.workspace.path,
        parallelism=local.parallelism,
        memory_bytes=local.memory_bytes,
        tell=tell,
        fork_server=local.fork_server,
        work_uri=local.work_uri,
        environ=local.environ,
    )


def open_reconciler(cluster: ProcessCluster, parallelism: int, stop: Stop) -> Reconciler:
    """Return the operator's loop for a local run."""
    return Reconciler(
        cluster,
        limits=local_limits(parallelism),
        fault_point=stop.note_commit,
        status_interval_seconds=STATUS_INTERVAL_SECONDS,
        min_pause_seconds=PASS_PAUSE_SECONDS,
    )


def local_limits(parallelism: int) -> Limits:
    """Return the local limits. One machine needs no speculation, and processes are cheap and need no packing.

    Nobody applies anything later, so what is missing is not waited for.
    """
    return Limits(
        parallelism=parallelism,
        speculates=False,
        packs=False,
        chaos=True,
        post_mortem_of=frozenset({"Failed"}),
        pending=PendingDeadlines(absent_seconds=0),
    )


async def last_status(
    cluster: ProcessCluster, workspace: Workspace, say: Callable[[str, str], None]
) -> Mapping[str, Any]:
    """Copy what is kept of a run into the workspace, and return the final status with the new URIs."""
    job, status = cluster.job, cluster.job.status
    run_store = open_own_store(job, await cluster.read_storage(job))
    for copy_out, what, directory in (
        (kept_run.copy_out, "run's records", workspace.records),
        (bad_records.copy_out, "bad records", workspace.quarantine),
        (post_mortem.copy_out, "post-mortem", workspace.post_mortem),
    ):
        try:
            status = await copy_out(status, run_store, directory)
        except (OSError, PodreduceError) as error:
            say(f"the {what} cannot be copied to {directory}: {error}", "warning")
    return status


def open_own_store(job: JobView, storage: JobStorage) -> ObjectStore:
    """Open the store at the prefix of the job's run."""
    prefix = run_prefix(storage.installation, job.key.namespace, job.key.name, job.uid, job.spec.run_id)
    return open_store(storage.work_uri + prefix, storage.settings)


async def settle(reconciler: Reconciler, job: JobView, stop: Stop) -> bool:
    """Run the job until it has ended and cleaned up. False if a signal stopped it before that."""
    settling = asyncio.create_task(reconciler.settle(job.key))
    await first_of(settling, stop.requested)
    if stop.committing and not settling.done():
        await first_of(settling, stop.forced)
    if settling.done():
        settling.result()
        return True
    settling.cancel()
    return False


async def undo(reconciler: Reconciler, cluster: ProcessCluster, job: JobView, stop: Stop) -> None:
    """Stop the loop and the tasks, then remove staged parts and the claim on the output. A second signal ends this."""
    await reconciler.close()
    await cluster.close()
    removing = asyncio.create_task(remove_data(reconciler, cluster, job))
    await first_of(removing, stop.forced)
    if removing.done():
        removing.result()
    removing.cancel()


async def remove_data(reconciler: Reconciler, cluster: ProcessCluster, job: JobView) -> None:
    """Remove what the run stored, and a claim that it made before it had a plan."""
    await reconciler.remove_data(job)
    storage = await cluster.read_storage(job)
    identity = JobIdentity(namespace=job.key.namespace, name=job.key.name, uid=job.uid, run_id=job.spec.run_id)
    with suppress(PodreduceError):
        await release_output(open_store(job.spec.output.uri), Claim(installation=storage.installation, job=identity))


async def first_of(task: asyncio.Task[None], event: asyncio.Event) -> None:
    """Wait until the task is done or the event is set."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


@contextmanager
def listen(stop: Stop) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into requests to stop."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.take_signal)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
