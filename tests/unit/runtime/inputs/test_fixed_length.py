"""Records of fixed length: each is read once wherever the pieces are cut, and nothing else passes for them."""

import gzip
import itertools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions, Piece
from podreduce.inputs import RecordBlock, read_records
from podreduce.inputs.fixed_length import RecordShape, fixed_length_records
from podreduce.storage import ObjectStore, open_store
from tests.support.task_runs import TaskRun

STORE = open_store("memory://fixed-length/")


def read(
    data: bytes, *, length: int, key: int, cuts: list[int] | None = None, name: str = "a", block_bytes: int = 64
) -> list[RecordBlock]:
    options = InputOptions(record_length=length, key_length=key)
    plan = TaskRun(plan_changes={"input_format": "FixedLength", "input_options": options}).plan
    pieces = itertools.pairwise([0, *(cuts or []), len(data)])
    return [
        block
        for start, end in pieces
        for block in read_records(plan, STORE, name, put(STORE, name, data, start, end), block_bytes=block_bytes)
    ]


def put(store: ObjectStore, name: str, data: bytes, start: int, end: int) -> Piece:
    store.put(name, data)
    return Piece(uri=store.uri_of(name), start=start, end=end, object_bytes=len(data))


def records_of(blocks: list[RecordBlock]) -> list[tuple[Any, Any]]:
    return [pair for block in blocks for pair in zip(block.keys(), block.values, strict=True)]


@given(
    st.integers(0, 40),
    st.integers(1, 12),
    st.integers(0, 12),
    st.lists(st.floats(0, 1), max_size=4),
    st.integers(1, 99),
)
def test_every_record_is_read_exactly_once_wherever_the_cuts_are(
    records: int, length: int, key: int, places: list[float], block_bytes: int
) -> None:
    key = min(key, length)
    data = bytes(number % 256 for number in range(records * length))
    cuts = sorted(round(place * len(data)) for place in places)
    blocks = read(data, length=length, key=key, cuts=cuts, block_bytes=block_bytes)
    expected = [data[at : at + length] for at in range(0, len(data), length)]
    assert records_of(blocks) == [(record[:key], record[key:]) for record in expected]
    assert all(len(block.values) * length <= max(block_bytes, length) for block in blocks)
    assert sum(block.stored_bytes for block in blocks) == len(data)
    rows = [row for block in blocks for row in block.to_arrow().to_pylist()]
    assert rows == [{"key": record[:key], "value": record[key:]} for record in expected]


@given(st.lists(st.binary(max_size=30), max_size=8), st.integers(1, 9), st.integers(1, 40))
@example([b"abc", b"d", b"efgh", b""], 4, 8)
def test_records_come_whole_however_the_chunks_are_cut(chunks: list[bytes], length: int, block_bytes: int) -> None:
    data = b"".join(chunks)
    rest = b"." * (-len(data) % length)
    stored = [(chunk, 1 + 3 * number) for number, chunk in enumerate([*chunks, rest])]
    shape = RecordShape(record_length=length, key_length=0)
    blocks = list(fixed_length_records(stored, "a", shape, block_bytes=block_bytes))
    expected = [(data + rest)[at : at + length] for at in range(0, len(data + rest), length)]
    assert [value for block in blocks for value in block.values] == expected
    assert all(len(block.values) * length <= max(block_bytes, length) for block in blocks)
    assert sum(block.stored_bytes for block in blocks) == sum(size for _, size in stored)
    assert {block.key_unit for block in blocks} == {"key"}


@pytest.mark.parametrize("size", [1, 99, 101])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_an_object_that_ends_within_a_record_is_named(size: int, ending: str) -> None:
    data = gzip.compress(bytes(size)) if ending else bytes(size)
    with pytest.raises(
        InputError, match=rf"memory://fixed-length/a{ending}: it has {size} bytes?, not a multiple of .* 100"
    ):
        read(data, length=100, key=10, name=f"a{ending}")


def test_a_compressed_object_is_decompressed() -> None:
    data = bytes(range(250)) * 40
    stored = gzip.compress(data, mtime=0)
    blocks = read(stored, length=100, key=10, name="a.gz", block_bytes=1000)
    assert b"".join(key + value for key, value in records_of(blocks)) == data
    assert sum(block.stored_bytes for block in blocks) == len(stored)
