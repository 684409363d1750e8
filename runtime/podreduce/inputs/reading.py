"""Chooses what reads a piece: by the input's format, as the plan has it."""

from collections.abc import Callable, Iterator
from functools import partial

from podreduce.contract.plan import Piece, Plan
from podreduce.errors import InputError
from podreduce.inputs.blocks import BLOCK_BYTES, CHUNK_BYTES, naming_changes, read_blocks
from podreduce.inputs.compression import is_compressed, read_decompressed
from podreduce.inputs.fixed_length import RecordShape, fixed_length_records, record_range
from podreduce.inputs.record_block import RecordBlock
from podreduce.inputs.text import text_records
from podreduce.storage import ObjectStore

__all__ = ["LARGE_BLOCK_BYTES", "is_splittable", "read_records"]

LARGE_BLOCK_BYTES = 4 * 1024 * 1024
"""For the columnar tier, where each block costs some calls and its records nothing."""

Reader = Callable[[Plan, ObjectStore, str, Piece, int], Iterator[RecordBlock]]
"""(plan, store, key in it, piece, bytes of a block) → the piece's records."""


def is_splittable(uri: str) -> bool:
    """Say whether an object may be cut into pieces at any byte."""
    return not is_compressed(uri)


def read_records(
    plan: Plan, store: ObjectStore, key: str, piece: Piece, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[RecordBlock]:
    """Yield the records that belong to `piece`, the object at `key` of `store`, in blocks of some `block_bytes`.

    Raises:
        InputError: the object is gone, has changed, or is not of the input's format.
    """
    if plan.input_format not in READERS:
        raise InputError(f"input.format {plan.input_format!r}: this version reads {', '.join(READERS)}")
    return READERS[plan.input_format](plan, store, key, piece, block_bytes)


def read_text(plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int) -> Iterator[RecordBlock]:
    """Read lines."""
    errors = "replace" if plan.encoding_errors == "Replace" else "strict"
    records = partial(text_records, uri=piece.uri, errors=errors)
    return map(records, read_blocks(store, key, piece, block_bytes=block_bytes))


def read_fixed_length(
    plan: Plan, store: ObjectStore, key: str, piece: Piece, block_bytes: int
) -> Iterator[RecordBlock]:
    """Read records of fixed length."""
    options = plan.input_options
    shape = RecordShape(record_length=options.record_length or 1, key_length=options.key_length)
    with naming_changes(piece.uri):
        if is_compressed(piece.uri):
            chunks = read_decompressed(store, key, piece)
        else:
            start, end = record_range(piece, shape)
            whole_bytes = max(CHUNK_BYTES // shape.record_length, 1) * shape.record_length  # else each is copied
            stream = store.stream(key, start, end, etag=piece.etag, chunk_bytes=whole_bytes) if start < end else ()
            chunks = ((chunk, len(chunk)) for chunk in stream)
        yield from fixed_length_records(chunks, piece.uri, shape, block_bytes=block_bytes)


READERS: dict[str, Reader] = {"Text": read_text, "FixedLength": read_fixed_length}
