"""Which shuffle manifest a reduce reads, and, where it was started together with its maps, the waiting for it."""

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
    """Return the manifest that the operator named, or None if it has no such partition, which nobody knew before.

    `beat` is called while it waits, so that the attempt does not seem to hang.

    Raises:
        PlanMismatchError: there is none.
        ShuffleNotFrozenError: there is none yet, and this reduce has waited long enough.
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
    """Look for the manifest again and again; the operator freezes it once it has seen the maps' commits."""
    waits_until = time.monotonic() + wait_seconds
    for pause_seconds in pauses():
        try:
            return decode(run_store.get(key), ShuffleManifest)
        except ObjectNotFoundError:
            if time.monotonic() >= waits_until:
                raise ShuffleNotFrozenError(
                    f"{run_store.uri_of(key)}: no manifest after {wait_seconds} s, though all maps are committed: "
                    "see whether the operator runs; its log says what holds the job up"
                ) from None
        beat()
        time.sleep(pause_seconds)
    raise AssertionError


def pauses() -> Iterator[float]:
    """Yield how long to wait before each next look, without end."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
