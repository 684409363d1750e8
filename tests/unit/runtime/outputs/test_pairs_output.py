"""A frame of pairs ends with the record that makes it full, to the byte, however the records are handed over."""

from decimal import Decimal
from typing import Any

import pytest

from podreduce.encoding.codec import encode_value
from podreduce.encoding.pair_frames import parse_head, unpack_pairs
from podreduce.outputs.pairs_output import FRAME_BYTES, FRAME_RECORDS, PairsBody

HALF = FRAME_BYTES // 2
Pairs = list[tuple[Any, Any]]


class Stream:
    """Keeps the blocks that it is given; each is a frame."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def write(self, block: bytes) -> None:
        self.blocks.append(block)


def write_singly(body: PairsBody, pairs: Pairs) -> None:
    for number, pair in enumerate(pairs):
        assert body.records == number
        body.write(*pair)


def write_together(body: PairsBody, pairs: Pairs) -> None:
    body.write_all(pairs)


def write_first_alone(body: PairsBody, pairs: Pairs) -> None:
    write_singly(body, pairs[:1])
    body.write_all(pairs[1:])


def sized(*sizes: int) -> Pairs:
    """Records whose encodings have these sizes, of which the key takes three eighths."""
    lengths = [(size * 3 // 8, size - size * 3 // 8) for size in sizes]
    empty = len(encode_value(b""))
    return [(bytes(key - empty), bytes(value - empty)) for key, value in lengths]


@pytest.mark.parametrize("write", [write_singly, write_together, write_first_alone])
@pytest.mark.parametrize(
    ("pairs", "frames"),
    [
        ([], []),
        (sized(FRAME_BYTES - 1, 20), [2]),
        (sized(FRAME_BYTES, 20), [1, 1]),
        (sized(HALF, HALF, 20), [2, 1]),
        (sized(HALF, HALF - 1, 20), [3]),
        (sized(FRAME_BYTES, HALF, HALF, 20), [1, 2, 1]),
        (sized(FRAME_BYTES, HALF, HALF - 1, 20), [1, 3]),
        ([(1, 2)] * FRAME_RECORDS, [FRAME_RECORDS]),
        ([(1, 2)] * (2 * FRAME_RECORDS + 1), [FRAME_RECORDS, FRAME_RECORDS, 1]),
        ([(Decimal(1), 2), (3, 4)], [2]),
        ([(1, Decimal(2)), (3, 4)], [2]),
    ],
    ids=[
        "nothing", "a byte less", "full", "two halves", "a byte less than two", "again", "a byte less again",
        "records", "records again", "a decimal as key", "a decimal as value",
    ],
)  # fmt: skip
def test_a_frame_ends_with_the_record_that_fills_it(write: Any, pairs: Pairs, frames: list[int]) -> None:
    stream = Stream()
    body = PairsBody(stream)  # type: ignore[arg-type]
    write(body, pairs)
    body.finish()
    assert [parse_head(block).records for block in stream.blocks] == frames
    unpacked = [unpack_pairs(block, len(block)) for block in stream.blocks]
    assert [pair for frame in unpacked for pair in zip(frame.keys(), frame.values(), strict=True)] == pairs
    assert body.records == len(pairs)
