"""Decodes each line of a block with bad lines on its own, and collects those that cannot be decoded. Rule: pure.

This is only for blocks that cannot be decoded as a whole, because it costs several times as much.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from podreduce.contract.errors import InputError
from podreduce.inputs.blocks import NEWLINE, Block
from podreduce.inputs.record_block import RecordBlock, Salvaged, Undecodable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["iter_lines", "salvage_lines"]

ParseLine: TypeAlias = Callable[[Block], Sequence[Any]]
"""A block of one line → the value of its record, or nothing if the line is not a record. Raises InputError."""
ToArrow: TypeAlias = "Callable[[Sequence[int], Sequence[Any]], pa.RecordBatch]"
"""(keys, values) → a batch of both, in the format's columns."""


def salvage_lines(block: Block, lines: Iterable[Block], parse: ParseLine, to_arrow: ToArrow) -> Salvaged:
    """Decode the `lines` of a block (from `iter_lines`) one by one."""
    keys: list[int] = []
    values: list[Any] = []
    bad = []
    for line in lines:
        try:
            found = parse(line)
        except InputError as error:
            bad.append(Undecodable(key=line.offset, data=line.data.removesuffix(NEWLINE), error=error))
        else:
            keys += [line.offset] * len(found)
            values += found
    sound = RecordBlock(
        stored_bytes=block.stored_bytes,
        make_values=lambda: values,
        make_keys=lambda: keys,
        make_arrow=lambda: to_arrow(keys, values),
    )
    return Salvaged(block=sound, bad=bad)


def iter_lines(block: Block) -> Iterator[Block]:
    """Yield each line of a block, its newline included, as a separate block."""
    data, start = block.data, 0
    while start < len(data):
        end = data.find(NEWLINE, start) + 1 or len(data)
        mark_bytes = 0 if start else block.mark_bytes
        offset = block.data_offset + start - mark_bytes
        yield Block(offset=offset, data=data[start:end], stored_bytes=0, mark_bytes=mark_bytes)
        start = end
