"""A reduce task: its partition of every map's blob, merged by key, through `reduce_func` into an output part."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice

from podreduce.contract.errors import InternalError, MapOutputLostError, ObjectChangedError, ObjectNotFoundError
from podreduce.contract.task import CommitRecord, LostOutput, ShuffleManifest, TaskRef, TaskType
from podreduce.encoding.blobs import (
    BlobFooter,
    CorruptBlobError,
    Fetch,
    read_footer,
    read_frames,
    read_places,
    read_range,
)
from podreduce.encoding.clip import clip_frame
from podreduce.encoding.frames import KIND_COLUMNS, StoredFrame
from podreduce.encoding.key_range import KeyRange
from podreduce.outputs import PartWriter
from podreduce.program.loading import LoadedProgram
from podreduce.storage import ObjectStore
from podreduce.task.attempt import Attempt
from podreduce.task.await_manifest import find_manifest
from podreduce.task.partition_places import Locations, locate_partition
from podreduce.task.reduce_rows import Taken, naming_aggregates, open_taken, reduce_taken

__all__ = ["replay_reduce_task", "run_reduce_task"]

FETCH_THREADS = 4
SMALL_BYTES = 2 * 1024 * 1024
"""A map's segments up to this size are fetched ahead; larger ones are streamed, a request at a time."""
LOST = (CorruptBlobError, ObjectNotFoundError, ObjectChangedError)
"""The errors that show that a committed blob is missing or incomplete."""


def run_reduce_task(attempt: Attempt) -> CommitRecord | None:
    """Run the reduce task, commit it and return its commit, or that of a faster attempt.

    Returns None if one pod runs the whole job and the manifest has no partition for it.

    Raises:
        MapOutputLostError: a blob of the manifest is missing or corrupt.
        PodreduceError: the attempt has failed for another reason; nothing it wrote counts.
    """
    program = attempt.load_program()
    if program.setup is None:  # `setup` may set a reduce function
        check_reduces(program)
    manifest = find_manifest(attempt.run_store, attempt.environment, attempt.context.progress)
    if manifest is None:
        return None
    with attempt.in_use(program) as program_in_use:
        taken, part = reduce_partition(attempt, program_in_use, manifest)
    return attempt.conclude(commit_record(attempt, taken, part))


def replay_reduce_task(attempt: Attempt, blobs: ObjectStore) -> CommitRecord:
    """Run the reduce task with the maps' blobs from another place than the attempt's run, where nothing is written.

    Raises:
        MapOutputLostError: a blob of the manifest is missing or corrupt.
        PodreduceError: the attempt has failed for another reason.
    """
    program = attempt.load_program()
    if program.setup is None:  # as in run_reduce_task
        check_reduces(program)
    manifest = find_manifest(attempt.run_store, attempt.environment, attempt.context.progress)
    if manifest is None:
        raise InternalError("a replay does not wait for its manifest, so it has one")
    with attempt.in_use(program) as program_in_use:
        taken, part = reduce_partition(replace(attempt, run_store=blobs), program_in_use, manifest)
    return attempt.conclude(commit_record(attempt, taken, part))


def reduce_partition(attempt: Attempt, program: LoadedProgram, manifest: ShuffleManifest) -> tuple[Taken, PartWriter]:
    """Read this partition of every map's output and reduce it into a part; return the input and the part."""
    check_reduces(program)
    taken = open_taken(attempt, program)  # its budget depends on the memory that `setup` uses
    with naming_aggregates(program):
        take_partition(attempt, manifest, taken)
    with attempt.open_part() as part:
        reduce_taken(attempt, program, taken, part)
    return taken, part


def check_reduces(program: LoadedProgram) -> None:
    """Refuse a program without a reduce: no reduce task should have been started.

    Raises:
        InternalError: it has no reduce.
    """
    if program.map_only:
        raise InternalError(f"{program.class_name} is map-only, but a reduce task was started for it")


def take_partition(attempt: Attempt, manifest: ShuffleManifest, taken: Taken) -> None:
    """Fetch this partition's segments of every blob, in map order, a few blobs ahead."""
    partition = attempt.environment.task.index
    attempt.progress.expect(
        manifest.partition_bytes[partition], input_share=taken.input_share, reduced=lambda: taken.reduced
    )
    locations = locate_partition(attempt.run_store, manifest, partition)
    carried_from = attempt.plan.carried_from
    carried_store = attempt.run_store if carried_from is None else attempt.open_input(carried_from)
    fetches = (
        partial(fetch_map, carried_store if blob.carried else attempt.run_store, manifest, number, partition, locations)
        for number, blob in enumerate(manifest.maps)
        if blob.footer_offset  # a blob without segments has nothing to read
    )
    for frames in run_ahead(fetches, threads=FETCH_THREADS):
        taken.add_blob(frames)
        attempt.progress.records, attempt.progress.bytes = taken.records, taken.stored_bytes


def run_ahead(calls: Iterable[Callable[[], Iterable[StoredFrame]]], *, threads: int) -> Iterator[Iterable[StoredFrame]]:
    """Yield the results of `calls` in order; `threads` of them run ahead of the caller."""
    waiting = iter(calls)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="fetch")
    try:
        running: deque[Future[Iterable[StoredFrame]]] = deque(pool.submit(call) for call in islice(waiting, threads))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(call) for call in islice(waiting, 1))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def fetch_map(
    store: ObjectStore, manifest: ShuffleManifest, number: int, partition: int, locations: Locations | None
) -> Iterable[StoredFrame]:
    """Return a partition's frames in one map's blob in `store`: read at once if they are few, else streamed.

    Raises:
        MapOutputLostError: the blob is missing or not what was committed.
    """
    blob = manifest.maps[number]
    fetch = partial(store.get_range, blob.key)
    try:
        if locations is None:
            footer = read_footer(fetch(blob.footer_offset, blob.bytes), crc32=blob.footer_crc32)
            size, stored = select_frames(footer, manifest, partition, fetch)
        else:
            places = locations.places(number)
            size, stored = sum(place.end - place.start for place in places), read_places(places, fetch)
    except LOST as error:
        raise map_output_lost(store, manifest, number, error) from error
    frames = watch_frames(store, manifest, number, stored)
    return list(frames) if size <= SMALL_BYTES else frames


def select_frames(
    footer: BlobFooter, manifest: ShuffleManifest, partition: int, fetch: Fetch
) -> tuple[int, Iterator[StoredFrame]]:
    """Return how many bytes of a blob a partition reads, and its frames, which are fetched as they are read."""
    if manifest.ranges is not None:
        key_range = KeyRange.of_partition(manifest.ranges, partition)
        return footer.range_bytes(key_range), read_range(footer, key_range, fetch, clip_any)
    buckets = manifest.partitions[partition]
    size = sum(footer.offsets[bucket + 1] - footer.offsets[bucket] for bucket in buckets)
    return size, read_frames(footer, buckets, fetch)


def clip_any(stored: StoredFrame, key_range: KeyRange) -> StoredFrame | None:
    """Return the part of a frame of either kind whose keys are in the range."""
    if stored.kind == KIND_COLUMNS:
        from podreduce.columnar.frames import clip_columns  # noqa: PLC0415 - pyarrow, which row jobs do not need

        return clip_columns(stored, key_range)
    return clip_frame(stored, key_range)


def watch_frames(
    store: ObjectStore, manifest: ShuffleManifest, number: int, frames: Iterator[StoredFrame]
) -> Iterator[StoredFrame]:
    """Yield `frames`; if they cannot be read, raise the error that names the lost map output."""
    try:
        yield from frames
    except LOST as error:
        raise map_output_lost(store, manifest, number, error) from error


def map_output_lost(store: ObjectStore, manifest: ShuffleManifest, number: int, error: Exception) -> MapOutputLostError:
    """Return the error that makes the operator run a map again."""
    return MapOutputLostError(
        f"{store.uri_of(manifest.maps[number].key)}: the output of map {number} is lost ({error}); it runs again",
        lost=LostOutput(task=TaskRef(type=TaskType.MAP, index=number), generation=manifest.map_generations[number]),
    )


def commit_record(attempt: Attempt, taken: Taken, part: PartWriter) -> CommitRecord:
    """Return the commit record."""
    return attempt.commit_record(
        records_in=taken.records,
        bytes_in=taken.stored_bytes,
        records_out=part.records,
        bytes_out=part.bytes_written,
        spills=taken.spills,
        counters=attempt.counters.built_in(),
        part=part.part_ref(),
        files=attempt.stage_files(),
    )
