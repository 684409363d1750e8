"""A map task: its shard's records through `map_func`, into one blob for the shuffle or, map-only, an output part."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from podreduce.attempt import Attempt, read_shard
from podreduce.calling import bucket_by_program, check_pair, combine_by_program, iterate
from podreduce.codec import UnsupportedTypeError, decode_key, encode_key
from podreduce.commit import conclude
from podreduce.contract.layout import blob_key, staged_part_key
from podreduce.contract.plan import Piece
from podreduce.contract.task import BlobRef, CommitRecord
from podreduce.errors import ProgramError
from podreduce.formats import Block, PartWriter, RecordReader, read_blocks, record_reader
from podreduce.loading import LoadedProgram
from podreduce.partition import hash_bucket
from podreduce.spill import MapOutputBuffer
from podreduce.storage import open_store, split_object_uri
from podreduce.tracebacks import describe_record, raise_blamed

__all__ = ["run_map_task"]

Emit = Callable[[Any, Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """Where a map's pairs go: `emit(key, value)` takes one, `emitted()` says how many there were."""

    emit: Emit
    emitted: Callable[[], int]


def run_map_task(attempt: Attempt) -> CommitRecord:
    """Run the map task and commit it; a faster twin's commit is as good.

    Raises:
        PodreduceError: the attempt has failed; nothing it wrote counts.
    """
    program = attempt.load_program()
    map_only = program.map_only or attempt.plan.partitions == 0
    record = map_to_part(attempt, program) if map_only else map_to_blob(attempt, program)
    conclude(attempt.run_store, attempt.output_store, record)
    return record


def map_to_blob(attempt: Attempt, program: LoadedProgram) -> CommitRecord:
    """Map the shard into a blob of virtual buckets."""
    buffer = open_buffer(attempt, program)
    key = blob_key(attempt.environment.task.index, attempt.environment.attempt_id)
    with attempt.in_use(program):
        map_shard(attempt, program, Sink(emit=emitter(program, buffer), emitted=lambda: buffer.records))
        with attempt.run_store.open_writer(key) as upload:
            summary = buffer.finish(upload.write)
    return commit_record(
        attempt,
        buffer.records,
        summary.bytes,
        spills=buffer.spills,
        combined=(buffer.combined_in, buffer.combined_out),
        blob=BlobRef(
            key=key,
            bytes=summary.bytes,
            footer_offset=summary.footer_offset,
            footer_crc32=summary.footer_crc32,
        ),
        bucket_bytes=summary.bucket_bytes,
        user_partitioned=program.partition_func is not None,
    )


def map_to_part(attempt: Attempt, program: LoadedProgram) -> CommitRecord:
    """Map the shard straight into an output part, in the order of its records."""
    plan, environment = attempt.plan, attempt.environment
    key = staged_part_key(plan.job.uid, plan.job.run_id, environment.task, environment.attempt_id)
    with attempt.in_use(program), PartWriter(attempt.output_store, key, plan.output_format) as part:
        emit: Emit = lambda key, value: part.write(yielded_key(key), value)  # noqa: E731 - one of two such
        map_shard(attempt, program, Sink(emit=emit, emitted=lambda: part.records))
    return commit_record(attempt, part.records, part.bytes_written, part=part.part_ref())


def open_buffer(attempt: Attempt, program: LoadedProgram) -> MapOutputBuffer:
    """Return the buffer for the map's output, with the program's combining and partitioning."""
    plan = attempt.plan
    partitioned = program.partition_func is not None
    buckets = plan.user_partitions if partitioned else plan.virtual_buckets
    return MapOutputBuffer(
        buckets=buckets,
        bucket_of=bucket_by_program(program, buckets) if partitioned else partial(hash_bucket, buckets=buckets),
        combine=combine_by_program(program),
        budget_bytes=attempt.budget_bytes(),
        scratch_directory=attempt.environment.scratch_directory,
    )


def emitter(program: LoadedProgram, buffer: MapOutputBuffer) -> Emit:
    """Return what takes a pair into `buffer`; to count, a value is a 1."""
    if program.combiner == "count":
        return lambda key, _: buffer.add(key, 1)
    return buffer.add


def yielded_key(key: Any) -> Any:  # noqa: ANN401 - whatever the program yields
    """Return `key` as the shuffle would: checked, an integral float made an int."""
    return key if type(key) is str or type(key) is int else decode_key(encode_key(key))


def map_shard(attempt: Attempt, program: LoadedProgram, sink: Sink) -> None:
    """Feed every record of the shard to `map_func` and what it yields to `sink`."""
    reader = record_reader(attempt.plan.input_format, attempt.plan.encoding_errors)
    for piece in read_shard(attempt.run_store, attempt.plan, attempt.environment.task.index).pieces:
        map_piece(attempt, program, piece, reader, sink)


def map_piece(attempt: Attempt, program: LoadedProgram, piece: Piece, reader: RecordReader, sink: Sink) -> None:
    """Feed the records of one piece to `map_func`."""
    context, progress = attempt.context, attempt.progress
    context.uri, context.start, context.end = piece.uri, piece.start, piece.end
    store_uri, key = split_object_uri(piece.uri)
    for block in read_blocks(open_store(store_uri, attempt.settings), key, piece):
        map_block(attempt, program, block, reader, sink.emit)
        progress.bytes += block.stored_bytes
        progress.records_out = sink.emitted()


def map_block(attempt: Attempt, program: LoadedProgram, block: Block, reader: RecordReader, emit: Emit) -> None:
    """Feed the records of one block to `map_func`. The innermost loop: names are local for speed."""
    map_func, progress, uri = program.map_func, attempt.progress, attempt.context.uri
    member = f"{program.class_name}.map_func"
    offset, value, pair = block.offset, "", None
    try:
        for offset, value in reader(block, uri):
            progress.records += 1
            pairs = map_func(offset, value)
            for pair in iterate(pairs, member):
                if type(pair) is tuple and len(pair) == 2:  # noqa: PLR2004 - a pair
                    emit(pair[0], pair[1])
                else:
                    emit(*check_pair(pair, member))
    except UnsupportedTypeError as error:
        key = pair[0] if pair else None
        raise ProgramError(
            f"{member} yielded, for the key {key!r:.200}: {error}", record=describe_record(uri, offset, value)
        ) from None
    except BaseException as error:  # noqa: BLE001 - raise_blamed lets pass what is not the program's
        raise_blamed(error, describe_record(uri, offset, value))


def commit_record(
    attempt: Attempt,
    records_out: int,
    bytes_out: int,
    *,
    spills: int = 0,
    combined: tuple[int, int] = (0, 0),
    **output: Any,  # noqa: ANN401 - the struct checks them
) -> CommitRecord:
    """Return the commit record, with our own counters."""
    progress = attempt.progress
    return attempt.commit_record(
        records_in=progress.records,
        bytes_in=progress.bytes,
        records_out=records_out,
        bytes_out=bytes_out,
        spills=spills,
        counters=attempt.counters.built_in(
            recordsRead=progress.records,
            bytesRead=progress.bytes,
            recordsWritten=records_out,
            bytesWritten=bytes_out,
            spills=spills,
            combineInput=combined[0],
            combineOutput=combined[1],
        ),
        **output,
    )
