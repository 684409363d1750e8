"""Inputs read in a test's process: an object in pieces, as rows or as columns, bad records set aside as a job does."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from msgspec import structs

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions, Piece
from podreduce.inputs import RecordBlock, read_records
from podreduce.inputs.record_block import Salvaged
from podreduce.storage import ObjectStore
from tests.support.task_runs import TaskRun

PLAN = TaskRun().plan


@dataclass(kw_only=True)
class Found:
    """What was read: records (pairs of key and value, or rows of columns), and keys and bytes of the bad ones."""

    records: list[Any] = field(default_factory=list)
    bad: list[tuple[int, bytes]] = field(default_factory=list)
    stored_bytes: int = 0


def salvage(block: RecordBlock, *, as_columns: bool = False) -> Salvaged:
    """What can be decoded of a block, and what cannot."""
    assert block.salvage is not None
    return block.salvage(as_columns)


def iter_blocks(
    store: ObjectStore,
    name: str,
    data: bytes,
    *,
    input_format: str,
    options: InputOptions,
    encoding_errors: str = "Strict",
    cuts: Sequence[int] = (),
    block_bytes: int = 1 << 20,
) -> Iterator[RecordBlock]:
    """The blocks of an object that is cut at these places; each piece is read to its end."""
    changes = {"input_format": input_format, "input_options": options, "encoding_errors": encoding_errors}
    plan = structs.replace(PLAN, **changes)
    store.put(name, data)
    etag = store.head(name).etag
    for start, end in itertools.pairwise([0, *sorted(cuts), len(data)]):
        piece = Piece(uri=store.uri_of(name), start=start, end=end, object_bytes=len(data), etag=etag)
        yield from read_records(plan, store, name, piece, block_bytes=block_bytes)


def collect(blocks: Iterator[RecordBlock], *, as_columns: bool) -> Found:
    """All records, the bad ones set aside. Raises the InputError of an object that is bad as a whole."""
    found = Found()
    for block in blocks:
        found.stored_bytes += block.stored_bytes
        sound = block
        try:
            records = records_of(sound, as_columns=as_columns)
        except InputError:
            if block.salvage is None:
                raise
            salvaged = salvage(block, as_columns=as_columns)
            assert salvaged.bad, "a block that raises has a bad record"
            found.bad += [(each.key, each.data) for each in salvaged.bad]
            sound = salvaged.block
            records = records_of(sound, as_columns=as_columns)
        assert len(list(sound.keys())) == len(records)
        found.records += records
    return found


def records_of(block: RecordBlock, *, as_columns: bool) -> list[Any]:
    """The records of a sound block."""
    if not as_columns:
        return list(zip(block.keys(), block.values, strict=True))
    batch = block.to_arrow()
    batch.validate(full=True)
    return batch_rows(batch)


def batch_rows(batch: pa.RecordBatch) -> list[Any]:
    """The rows of a batch with their schema; a row that Python cannot hold is shown as Arrow shows it."""
    schema = batch.schema.to_string()
    try:
        return [(schema, row) for row in batch.to_pylist()]
    except (ValueError, OverflowError):
        if batch.num_rows > 1:
            return [row for place in range(batch.num_rows) for row in batch_rows(batch.slice(place, 1))]
        columns = [column.dictionary_decode() if is_category(column) else column for column in batch.columns]
        return [(schema, list(map(str, columns)))]


def is_category(column: pa.Array) -> bool:
    """Whether a column has a dictionary, which depends on the batch."""
    return bool(pa.types.is_dictionary(column.type))
