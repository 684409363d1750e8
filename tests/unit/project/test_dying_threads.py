"""Whatever a thread or a loop dies of, whoever waits for it hears of it, also of a BaseException that is no Exception.

A panic of a library in Rust is one (pyo3 has PanicException derive from BaseException), and obstore is such a library.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from podreduce.contract.errors import InternalError, PodreduceError, StorageUnavailableError
from podreduce.storage.place import Place
from podreduce.storage.staging import upload_parts
from podreduce.storage.stream import stream_ranges
from podreduce.storage.writer import Blocks, ObjectWriter
from podreduce.task.reduce_task import run_ahead
from podreduce.watching.reporting import ProgressReporter
from podreduce_operator.cluster.kubernetes.object_cache import ObjectCache
from podreduce_operator.cluster.kubernetes.reflector import Reflector
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.process.removals import Removals
from tests.support.builders.jobs import make_job
from tests.support.quiet_cluster import QuietCluster


class PanicError(BaseException):
    """As pyo3's PanicException: no Exception."""


ENDS: dict[str, tuple[BaseException, type[BaseException]]] = {
    "a panic": (PanicError("index out of bounds"), InternalError),
    "an exit": (SystemExit(0), InternalError),
    "an interrupt": (KeyboardInterrupt(), InternalError),
    "a closed generator": (GeneratorExit(), InternalError),
    "a bug of ours": (TypeError("no such thing"), InternalError),
    "no memory": (MemoryError(), MemoryError),
    "a fault of the store": (OSError("broken pipe"), StorageUnavailableError),
    "an error of ours": (PodreduceError("told already"), PodreduceError),
}
PLACE = Place(verb="write", uri="s3://b/k", endpoint=None)
MOMENTS = {"at the start": 0, "in the middle": 2, "at the end": 5}
BLOCKS = [b"x" * 10] * 5


@dataclass
class DyingUpload:
    """An upload that takes some blocks and then ends by `error`, or as if it had taken all where that is None."""

    error: BaseException | None
    takes: int
    place: Place = PLACE
    part_bytes: int = 10

    def put(self, data: bytes) -> None:
        raise AssertionError(f"more than a part is streamed: {len(data)}")

    def stream(self, blocks: Blocks) -> None:
        for _ in range(self.takes):
            next(blocks)
        if self.error is not None:
            raise self.error


def write_all(upload: DyingUpload, encode: Callable[[Blocks], Blocks] = iter) -> None:
    with ObjectWriter(upload, encode=encode) as writer:
        for block in BLOCKS:
            writer.write(block)


@pytest.mark.parametrize("takes", MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize(("error", "expected"), ENDS.values(), ids=ENDS)
def test_no_upload_whose_thread_dies_reports_success(
    error: BaseException, expected: type[BaseException], takes: int
) -> None:
    with pytest.raises(expected) as raised:
        write_all(DyingUpload(error, takes))
    assert raised.type is expected


@pytest.mark.parametrize("takes", MOMENTS.values(), ids=MOMENTS)
def test_no_upload_that_ends_before_its_time_reports_success(takes: int) -> None:
    with pytest.raises(InternalError, match="without all the data"):
        write_all(DyingUpload(None, takes))


def test_an_encoding_that_dies_in_the_upload_is_heard_of() -> None:
    def encode(blocks: Blocks) -> Blocks:
        yield from blocks
        raise PanicError

    class Taker(DyingUpload):
        def stream(self, blocks: Blocks) -> None:
            list(blocks)

    with pytest.raises(InternalError, match="PanicError"):
        write_all(Taker(None, 0), encode)


def panic(*_: object, **__: object) -> Any:
    raise PanicError


class PanickingClient:
    """As much of a MultipartClient as `upload_parts` takes."""

    upload_part = staticmethod(panic)


HELPERS: dict[str, Callable[[], object]] = {
    "reads ahead": lambda: list(stream_ranges(panic, 0, 30, chunk_bytes=10, read_ahead=2)),
    "fetches of a reduce": lambda: list(run_ahead([panic, panic], threads=2)),
    "parts of an upload": lambda: upload_parts(PanickingClient(), "k", "1", iter(BLOCKS), 10),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("act", HELPERS.values(), ids=HELPERS)
def test_the_end_of_a_helping_thread_reaches_whoever_it_helps(act: Callable[[], object]) -> None:
    with pytest.raises(PanicError):
        act()


def test_progress_is_reported_again_whatever_a_report_died_of() -> None:
    calls, again = [], threading.Event()

    def report() -> Any:
        calls.append(1)
        if len(calls) > 1:
            again.set()
        raise ValueError("this one cannot be told")

    with ProgressReporter("http://127.0.0.1:9/", "token", report, interval_seconds=0.001):
        assert again.wait(5)


async def test_a_panic_of_one_call_is_raised_once_the_others_are_at_rest() -> None:
    running = set()

    async def call(number: int) -> None:
        running.add(number)
        await asyncio.sleep(0)
        if number == 1:
            raise PanicError
        await asyncio.sleep(0.01)
        running.remove(number)

    with pytest.raises(PanicError):
        await gather_bounded([lambda number=number: call(number) for number in range(9)], limit=3)  # type: ignore[misc]
    assert running == {1}


async def test_a_job_whose_pass_panics_is_looked_at_again() -> None:
    passes = asyncio.Queue[int]()

    class PanickingCluster(QuietCluster):
        async def find_job(self, key: JobKey) -> JobView | None:
            del key
            passes.put_nowait(1)
            if passes.qsize() == 1:
                raise PanicError
            return None

    reconciler = Reconciler(PanickingCluster(), limits=Limits(parallelism=1))
    key = JobKey(namespace="default", name="wordcount")
    reconciler.wake(key)
    task = reconciler.passes.workers[key].task
    assert task is not None
    await asyncio.wait_for(task, 20)
    assert passes.qsize() == 2


async def test_a_panic_leaves_a_removal_to_the_sweeper() -> None:
    woken: list[JobKey] = []
    removals = Removals(remove_data=panic, wake=woken.append, is_known=lambda _: False)
    job = make_job()
    removals.add(job)
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}
    await task
    removals.add(job)  # not thought to be under way
    await removals.close()


async def test_a_panic_does_not_blind_the_operator() -> None:
    listings = iter(range(3))
    watched = asyncio.Event()

    async def list_page(_: object) -> Any:
        if next(listings) == 0:
            raise PanicError
        return {"items": [], "metadata": {"resourceVersion": "1"}}

    async def watch(*_: object, **__: object) -> Any:
        watched.set()
        await asyncio.sleep(3600)
        yield {}

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    cache = ObjectCache(str, lambda _old, _new: None)
    reflector = Reflector(cache, name="things", list_page=list_page, watch=watch, selector="", sleep=sleep)
    running = asyncio.create_task(reflector.run())
    await asyncio.wait_for(watched.wait(), 5)
    running.cancel()
