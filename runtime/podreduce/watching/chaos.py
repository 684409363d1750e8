"""Injects faults on purpose (`spec.chaos`): attempts kill themselves, slow down, or get 503 from the store.

Rule: off unless the plan sets it, and the operator plans it only if the installation allows it. An attempt's faults
depend only on its id, so another attempt of the same task has other faults.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from typing import Final

import msgspec

from podreduce.contract.chaos import ChaosOptions
from podreduce.contract.plan import Plan
from podreduce.storage import ObjectStore
from podreduce.watching.logs import get_logger

__all__ = ["Chaos", "chaos_of"]

POLL_SECONDS: Final = 0.005
SLICE_SECONDS: Final = 0.05
"""How long a slowed attempt works before each sleep."""

EARLIEST, LATEST = 0.05, 0.95
"""The range of the fraction of its work at which an attempt may be killed."""


class Chaos:
    """The faults of one attempt."""

    def __init__(self, options: ChaosOptions, attempt_id: str) -> None:
        self._rng = Random(attempt_id)  # noqa: S311 - not a secret
        self.killed_at = self._rng.uniform(EARLIEST, LATEST) if self._is_chosen(options.kill_percent) else None
        self.slow_factor = options.slow_factor if self._is_chosen(options.slow_percent) else 1.0
        self._storage_error_percent = options.storage_error_percent
        self._lock = threading.Lock()
        self._logger = get_logger(attempt=attempt_id)

    def trouble(self, store: ObjectStore) -> ObjectStore:
        """Return the store; if it is in S3, some of its requests fail."""
        if not self._storage_error_percent or store.endpoint is None:
            return store
        return replace(store, inject_fault=self._fail_sometimes)

    @contextmanager
    def at_work(self, fraction: Callable[[], float]) -> Iterator[None]:
        """Kill or slow down this process in the `with`, if chosen; `fraction` returns how much work is done."""
        with ExitStack() as stack:
            if self.killed_at is not None:
                self._logger.warning("chaos: this attempt will be killed", fraction=round(self.killed_at, 2))
                stack.enter_context(killed_at(self.killed_at, fraction))
            if self.slow_factor > 1.0:
                self._logger.warning("chaos: this attempt is slowed down", factor=self.slow_factor)
                stack.enter_context(slowed(self.slow_factor))
            yield

    def _is_chosen(self, percent: float) -> bool:
        return self._rng.random() * 100 < percent

    def _fail_sometimes(self) -> None:
        with self._lock:
            fails = self._is_chosen(self._storage_error_percent)
        if fails:
            raise OSError("503 SlowDown, injected by spec.chaos")


def chaos_of(plan: Plan, attempt_id: str) -> Chaos:
    """Return an attempt's faults by the plan: usually none."""
    return Chaos(msgspec.convert(plan.spec.get("chaos") or {}, ChaosOptions), attempt_id)


@contextmanager
def killed_at(limit: float, fraction: Callable[[], float]) -> Iterator[None]:
    """End the process by SIGKILL once this fraction of its work is done."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(POLL_SECONDS):
            if fraction() >= limit:
                os.kill(os.getpid(), signal.SIGKILL)

    thread = threading.Thread(target=watch, name="chaos", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def slowed(factor: float) -> Iterator[None]:
    """Make the main thread sleep `factor` - 1 times as long as it works: a signal handler runs in it."""

    def sleep(*_: object) -> None:
        time.sleep(SLICE_SECONDS * (factor - 1.0))
        signal.setitimer(signal.ITIMER_REAL, SLICE_SECONDS)

    before = signal.signal(signal.SIGALRM, sleep)
    signal.setitimer(signal.ITIMER_REAL, SLICE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
