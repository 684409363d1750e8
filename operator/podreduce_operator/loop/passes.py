"""Runs passes over resources: each one that is woken has its own loop, and many run concurrently.

Rule: level-triggered, and knows no kind of resource. Events only wake a loop, and several events make one pass. A pass
that fails is tried again, later and later.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from podreduce_operator.concurrency import LOOP_ENDS
from podreduce_operator.model.jobs import JobKey

__all__ = ["MIN_PAUSE_SECONDS", "Passes", "Wait", "Worker", "wait_for_wake"]

MIN_PAUSE_SECONDS = 0.02
MAX_PAUSE_SECONDS = 1.0
BRIEF_SECONDS = 0.02
FIRST_RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 60.0

Wait = Callable[[asyncio.Event, float], Awaitable[None]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Worker:
    """One resource's loop. None of this state survives a restart, and none needs to.

    Attributes:
        wake: set to start a pass.
        task: the running loop.
        observing_seconds: how long the last observation took.
        due_at: when the next pass is due, or when the running pass began (monotonic).
        settled: set when the resource has ended and its status says so.
        adopted: the UID of the resource, if this operator has made it its installation's own.
    """

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    observing_seconds: float = 0.0
    due_at: float = math.inf
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    adopted: str = ""


WorkerT = TypeVar("WorkerT", bound=Worker)


async def wait_for_wake(wake: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most `seconds`.

    `asyncio.wait_for` of Python 3.11 loses a cancellation that comes with the event. The loop would not end then.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()


class Passes(Generic[WorkerT]):
    """The loops of all resources of one kind.

    Args:
        kind: what a resource is called in the log, such as `job`.
        make_worker: makes the state of a new loop.
        pass_once: makes one pass. It returns the seconds until the next one (infinite: none is due), or None if the
            resource is gone.
        monotonic: seconds that only go forward, by which passes are due and overdue.
        wait: waits for a wake-up, so many seconds at most.
        on_pass: told how long each pass took.
        min_pause_seconds: the least pause after each pass. Events that come meanwhile make one pass.
    """

    def __init__(
        self,
        kind: str,
        make_worker: Callable[[], WorkerT],
        pass_once: Callable[[JobKey, WorkerT], Awaitable[float | None]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait = wait_for_wake,
        on_pass: Callable[[float], None] = lambda _seconds: None,
        min_pause_seconds: float = MIN_PAUSE_SECONDS,
    ) -> None:
        self.kind = kind
        self.make_worker = make_worker
        self.pass_once = pass_once
        self.monotonic = monotonic
        self.wait = wait
        self.on_pass = on_pass
        self.min_pause_seconds = min_pause_seconds
        self.workers: dict[JobKey, WorkerT] = {}
        self.passed_at: dict[str, float] = {}

    def wake(self, key: JobKey) -> WorkerT:
        """Start a pass soon. This is cheap, and harmless if there is nothing to do."""
        worker = self.workers.get(key)
        if worker is None:
            worker = self.workers[key] = self.make_worker()
        worker.wake.set()
        worker.due_at = min(worker.due_at, self.monotonic())
        if worker.task is None or worker.task.done():
            worker.task = asyncio.create_task(self.run(key, worker), name=f"reconcile {key}")
        return worker

    async def settle(self, key: JobKey) -> None:
        """Make passes until the resource has settled. Return early if it is gone."""
        worker = self.wake(key)
        settled = asyncio.create_task(worker.settled.wait())
        if worker.task is not None:
            await asyncio.wait({settled, worker.task}, return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()

    def drop(self, key: JobKey) -> None:
        """Stop the loop of a resource that is gone."""
        worker = self.workers.pop(key, None)
        if worker is not None and worker.task is not None:
            worker.task.cancel()

    async def close(self) -> None:
        """Stop all loops at once, wherever they are, as a restart does."""
        tasks = [worker.task for worker in self.workers.values() if worker.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.workers.clear()

    async def run(self, key: JobKey, worker: WorkerT) -> None:
        """Make a pass when the resource is woken or due, until it is gone or nothing more is due.

        Observing takes at most half of the time, or twenty milliseconds an action. The next event starts a new loop.
        """
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            worker.wake.clear()
            worker.due_at = began = self.monotonic()
            try:
                wake_after = await self.pass_once(key, worker)
                retry_seconds = FIRST_RETRY_SECONDS
            except LOOP_ENDS:
                raise
            except BaseException:
                log.exception("reconcile failed", **{self.kind: str(key)}, retry_seconds=retry_seconds)
                wake_after, retry_seconds = retry_seconds, min(retry_seconds * 2, MAX_RETRY_SECONDS)
            self.on_pass(self.monotonic() - began)
            self.passed_at[key.namespace] = self.monotonic()
            if wake_after is None or (wake_after == math.inf and not worker.wake.is_set()):
                self.workers.pop(key, None)
                return
            worker.due_at = self.monotonic() + (0.0 if worker.wake.is_set() else wake_after)
            await asyncio.sleep(self.pause_seconds(worker.observing_seconds, wake_after))
            await self.wait(worker.wake, wake_after)

    def pause_seconds(self, observing_seconds: float, wake_after: float) -> float:
        """Return how long to rest after a pass: as long as it observed, or the least if that was brief and it acted."""
        has_acted = wake_after == 0.0
        if has_acted and observing_seconds < BRIEF_SECONDS:
            return self.min_pause_seconds
        return min(max(observing_seconds, self.min_pause_seconds), MAX_PAUSE_SECONDS)

    def overdue_seconds(self) -> float:
        """Return how long the oldest pass has been due or running; 0 if there is none.

        A pass counts from the last end of any pass in its namespace. The resources of a namespace wait for each other
        if their store is slow or away, for hours if there are thousands, and a restart does not help them.
        """
        self.passed_at = {
            key.namespace: self.passed_at[key.namespace] for key in self.workers if key.namespace in self.passed_at
        }
        since = (
            max(worker.due_at, self.passed_at.get(key.namespace, -math.inf)) for key, worker in self.workers.items()
        )
        return max(0.0, self.monotonic() - min(since, default=math.inf))

    def oldest_pass_seconds(self) -> float:
        """Return how long the oldest pass has been due or running, also if others of its namespace end; 0 without."""
        oldest = min((worker.due_at for worker in self.workers.values()), default=math.inf)
        return max(0.0, self.monotonic() - oldest)

    def due_passes(self) -> int:
        """Return how many passes are due or running."""
        now = self.monotonic()
        return sum(worker.due_at <= now for worker in self.workers.values())
