"""Which shuffle manifest a reduce task reads; if one pod runs maps and reduces, it waits for it."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.errors import InternalError, ObjectNotFoundError, PlanMismatchError, ShuffleNotFrozenError
from podreduce.contract.layout import shuffle_key
from podreduce.contract.task import ShuffleManifest
from podreduce.contract.wire import decode
from podreduce.storage import ObjectStore

__all__ = ["find_manifest"]

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 1.0


def find_manifest(
    run_store: ObjectStore, environment: TaskEnvironment, beat: Callable[[], None]
) -> ShuffleManifest | None:
    """Return the manifest that the operator named; None if the manifest has no partition for this task.

    `beat` is called during the wait, so that the attempt does not seem stuck.

    Raises:
        PlanMismatchError: the manifest is gone.
        ShuffleNotFrozenError: the manifest still does not exist, and the task has waited long enough.
    """
    generation, wait_seconds = environment.shuffle_generation, environment.shuffle_wait_seconds
    if generation is None:
        raise InternalError("a reduce task was started without a shuffle generation")
    key = shuffle_key(generation)
    if not wait_seconds:
        try:
            return decode(run_store.get(key), ShuffleManifest)
        except ObjectNotFoundError:
            raise PlanMismatchError(f"{run_store.uri_of(key)}: the manifest is gone") from None
    manifest = await_manifest(run_store, key, wait_seconds, beat)
    return manifest if environment.task.index < len(manifest.partitions) else None


def await_manifest(run_store: ObjectStore, key: str, wait_seconds: float, beat: Callable[[], None]) -> ShuffleManifest:
    """Look for the manifest again and again; the operator writes it once it has seen the maps' commits."""
    waits_until = time.monotonic() + wait_seconds
    for pause_seconds in pauses():
        try:
            return decode(run_store.get(key), ShuffleManifest)
        except ObjectNotFoundError:
            if time.monotonic() >= waits_until:
                raise ShuffleNotFrozenError(
                    f"{run_store.uri_of(key)}: no manifest after {wait_seconds} s, although all maps are committed: "
                    "check whether the operator runs; its log says why the job does not continue"
                ) from None
        beat()
        time.sleep(pause_seconds)
    raise AssertionError


def pauses() -> Iterator[float]:
    """Yield how long to wait before each next look, in seconds, without end."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
