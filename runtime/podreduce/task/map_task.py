"""A map task: its shard's records through `map_func`, into one blob for the shuffle or, map-only, an output part."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from podreduce.contract.bucket_sizes import encode_sizes
from podreduce.contract.layout import blob_key
from podreduce.contract.plan import Shard, input_name, plan_of_input
from podreduce.contract.task import BlobRef, CommitRecord
from podreduce.contract.uris import split_object_uri
from podreduce.encoding.codec import decode_key, encode_key
from podreduce.inputs import RecordSampler, read_records
from podreduce.outputs import PartWriter
from podreduce.program.calling import cannot_aggregate, combine_by_program
from podreduce.program.loading import LoadedProgram
from podreduce.rows.map_buffer import MapOutputBuffer
from podreduce.rows.row_stores import AggregationError
from podreduce.task.attempt import Attempt, read_shard
from podreduce.task.bucket_choice import check_order, choose_buckets, key_sampler
from podreduce.task.map_rows import MapLoop, Sink
from podreduce.task.skipping import RecordSkipper, TwoSteps, steps_to_part, steps_to_store

if TYPE_CHECKING:
    from podreduce.task.map_batches import BatchLoop, ColumnBuffer

__all__ = ["run_map_task"]

NO_FILES = (
    "only tasks that write the output have files, and this map's output goes to reduces: call it in reduce_func, or in "
    "teardown if context.task starts with r"
)
Loop: TypeAlias = "MapLoop | BatchLoop"
Finished: TypeAlias = Callable[[], CommitRecord]
"""Makes the commit record after `teardown`, which may still count."""


def run_map_task(attempt: Attempt) -> CommitRecord:
    """Run the map task, commit it and return its commit, or that of a faster attempt.

    Raises:
        PodreduceError: the attempt has failed; nothing it wrote counts.
    """
    shard = read_shard(attempt.run_store, attempt.plan, attempt.environment.task.index)
    attempt = replace(attempt, plan=plan_of_input(attempt.plan, shard))
    attempt.context.input = input_name(attempt.plan, shard)
    with attempt.in_use(attempt.load_program()) as program:
        check_order(attempt.plan, program)
        map_only = program.map_only or attempt.plan.partitions == 0
        if not map_only:
            attempt.files.refuse(NO_FILES)
        finished = (map_to_part if map_only else map_to_blob)(attempt, program, shard)
    return attempt.conclude(finished())


def map_to_blob(attempt: Attempt, program: LoadedProgram, shard: Shard) -> Finished:
    """Map the shard into a blob of virtual buckets."""
    key = blob_key(attempt.environment.task.index, attempt.environment.attempt_id)
    buffer, loop = open_buffer(attempt, program)  # its budget depends on the memory that `setup` uses
    sampler = map_shard(attempt, loop, shard)
    with attempt.run_store.open_writer(key, checksummed=True) as upload:
        try:
            summary = buffer.finish(upload.write)
        except AggregationError as error:
            raise cannot_aggregate(program, error.key, error.error) from None
    return partial(
        commit_record,
        attempt,
        loop,
        summary.bytes,
        sampler,
        spills=buffer.spills,
        combined=(buffer.combined_in, buffer.combined_out),
        blob=BlobRef(
            key=key,
            bytes=summary.bytes,
            footer_offset=summary.footer_offset,
            footer_crc32=summary.footer_crc32,
        ),
        bucket_bytes=encode_sizes(summary.bucket_bytes),
        user_partitioned=program.partition_func is not None,
        partitioning=attempt.plan.partitioning,
        key_samples=summary.key_samples,
        heavy_keys=buffer.heavy_keys.heaviest(),
        encoded_bytes=buffer.heavy_keys.encoded_bytes,
    )


def map_to_part(attempt: Attempt, program: LoadedProgram, shard: Shard) -> Finished:
    """Map the shard straight into an output part, in the order of its records."""
    with attempt.open_part() as part:
        loop = (
            open_batch_loop_to_part(attempt, program, part) if program.map_batch else row_loop(attempt, program, part)
        )
        sampler = map_shard(attempt, loop, shard)
    return partial(commit_record, attempt, loop, part.bytes_written, sampler, part=part.part_ref())


def row_loop(attempt: Attempt, program: LoadedProgram, part: PartWriter) -> MapLoop:
    """Return the loop that writes the pairs of `map_func`."""
    write = part.write
    sink = Sink(add=lambda key, value: write(yielded_key(key), value), records=lambda: part.records)
    return MapLoop(attempt, program, sink, open_skipper(attempt, program, steps_to_part(part, yielded_key)))


def open_skipper(attempt: Attempt, program: LoadedProgram, steps: TwoSteps) -> RecordSkipper | None:
    """Return the loop over pairs for a job that skips bad records; None for other jobs."""
    return None if attempt.quarantine is None else RecordSkipper(attempt, attempt.quarantine, program, steps)


def open_batch_loop_to_part(attempt: Attempt, program: LoadedProgram, part: PartWriter) -> "BatchLoop":
    """Return the loop that writes the batches of `map_batch`."""
    from podreduce.task.map_batches import BatchLoop, part_sink  # noqa: PLC0415 - pyarrow, which row jobs do not need

    return BatchLoop(attempt, program, part_sink(part))


def open_buffer(attempt: Attempt, program: LoadedProgram) -> "tuple[MapOutputBuffer | ColumnBuffer, Loop]":
    """Return the buffer for the map's output and the loop that fills it, as the program needs them."""
    if program.reduce_batch is not None:
        return open_column_buffer(attempt, program)
    if program.map_batch is not None:
        return open_batch_row_buffer(attempt, program)
    buffer = open_row_buffer(attempt, program, attempt.budget_bytes())
    store = buffer.store
    sink = Sink(add=store.add, records=lambda: store.records, store=store)
    steps = steps_to_store(store, f"{program.class_name}.map_func")
    return buffer, MapLoop(attempt, program, sink, open_skipper(attempt, program, steps))


def open_batch_row_buffer(attempt: Attempt, program: LoadedProgram) -> "tuple[MapOutputBuffer, BatchLoop]":
    """Return the row tiers' buffer, and the loop that fills it with batches."""
    from podreduce.task.batches_to_rows import ROW_SINK_SHARE, RowSink, combined_share  # noqa: PLC0415 - likewise
    from podreduce.task.map_batches import BatchLoop, keyed_sink  # noqa: PLC0415 - pyarrow, which row jobs do not need

    budget_bytes = attempt.budget_bytes()
    combined_bytes = combined_share(budget_bytes)
    buffer = open_row_buffer(attempt, program, budget_bytes - ROW_SINK_SHARE * combined_bytes)
    rows = RowSink(program, buffer.store, combined_bytes=combined_bytes)
    return buffer, BatchLoop(attempt, program, keyed_sink(program, rows.add), finish=rows.flush)


def open_row_buffer(attempt: Attempt, program: LoadedProgram, budget_bytes: int) -> MapOutputBuffer:
    """Return the row tiers' buffer of `budget_bytes`, with the program's combining and partitioning."""
    buckets, bucket_of = choose_buckets(attempt.plan, program)
    aggregation = program.aggregation
    return MapOutputBuffer(
        buckets=buckets,
        bucket_of=bucket_of,
        sampler=key_sampler(attempt.plan, attempt.environment.task.index),
        key_elements=attempt.plan.partition_key_length,
        # Batches give counts, or a 1 for each value: both are added up.
        aggregation="sum" if aggregation == "count" and program.map_batch is not None else aggregation,
        combine=combine_by_program(program),
        budget_bytes=budget_bytes,
        scratch_directory=attempt.environment.scratch_directory,
    )


def open_column_buffer(attempt: Attempt, program: LoadedProgram) -> "tuple[ColumnBuffer, BatchLoop]":
    """Return the buffer that keeps columns, and its loop."""
    from podreduce.task.combine_batches import combine_by_batches  # noqa: PLC0415 - pyarrow, which row jobs do not need
    from podreduce.task.map_batches import BatchLoop, ColumnBuffer, keyed_sink  # noqa: PLC0415 - likewise

    buckets, bucket_of = choose_buckets(attempt.plan, program)
    buffer = ColumnBuffer(
        buckets=buckets,
        bucket_of=bucket_of,
        sampler=key_sampler(attempt.plan, attempt.environment.task.index),
        budget_bytes=attempt.budget_bytes(),
        scratch_directory=attempt.environment.scratch_directory,
        member=f"{program.class_name}.map_batch",
        key_elements=attempt.plan.partition_key_length,
        combine=combine_by_batches(program),
    )
    return buffer, BatchLoop(attempt, program, keyed_sink(program, buffer.add))


def yielded_key(key: Any) -> Any:  # noqa: ANN401 - anything the program yields
    """Return `key` as the shuffle returns it: checked, an integral float as an int."""
    return key if type(key) is str or type(key) is int else decode_key(encode_key(key))


def map_shard(attempt: Attempt, loop: "Loop", shard: Shard) -> RecordSampler | None:
    """Pass every record of the shard to the program, or those of a sample; return the sampler, if there is one."""
    context, sample = attempt.context, attempt.plan.input_options.sample
    sampler = None if sample is None else RecordSampler(sample, attempt.plan.input_format)
    attempt.progress.expect(sum(piece.end - piece.start for piece in shard.pieces))
    for piece in shard.pieces:
        context.uri, context.start, context.end = piece.uri, piece.start, piece.end
        store_uri, key = split_object_uri(piece.uri)
        store = attempt.open_input(store_uri)
        for block in read_records(attempt.plan, store, key, piece, block_bytes=loop.block_bytes):
            loop.map_block(block if sampler is None else sampler.keep(block, key))
    loop.finish()
    return sampler


def commit_record(
    attempt: Attempt,
    loop: "Loop",
    bytes_out: int,
    sampler: RecordSampler | None,
    *,
    spills: int = 0,
    combined: tuple[int, int] = (0, 0),
    **output: Any,  # noqa: ANN401 - the struct checks them
) -> CommitRecord:
    """Write the bad records, and return the commit record with the built-in counters."""
    quarantine = attempt.quarantine
    sampled = {} if sampler is None else {"mapRecordsLeftOut": sampler.left_out}
    return attempt.commit_record(
        records_in=attempt.progress.records,
        bytes_in=attempt.progress.bytes,
        records_out=loop.records(),
        bytes_out=bytes_out,
        spills=spills,
        counters=attempt.counters.built_in(
            combineInput=combined[0], combineOutput=combined[1], **loop.tier(), **sampled
        ),
        quarantine=None if quarantine is None else quarantine.write(),
        files=attempt.stage_files(),
        **output,
    )
