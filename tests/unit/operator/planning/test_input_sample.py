"""The columns of JSONLines that a plan pins: those declared, or those of a sample that depends on the objects alone."""

import bz2
import gzip
import json
import uuid
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.plan import InputColumn, Piece
from podreduce.inputs import read_first_lines
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.api.spec import InputSpec
from podreduce_operator.model.errors import ActionError
from podreduce_operator.planning.input_sample import (
    OBJECTS_PER_WINDOW,
    WINDOW_BYTES,
    WINDOWS,
    choose_windows,
    settle_columns,
)
from podreduce_operator.planning.packed_input import InputObject
from tests.support.builders.jobs import make_spec

SIZES = st.integers(0, 12) | st.integers(0, 2 * WINDOW_BYTES) | st.integers(0, 2**40)


def make_objects(*described: tuple[int, bool]) -> list[InputObject]:
    return [
        InputObject(uri=f"s3://in/{number:04}", size_bytes=size, is_splittable=is_splittable, etag="e")
        for number, (size, is_splittable) in enumerate(described)
    ]


@given(st.lists(st.tuples(SIZES, st.booleans()), max_size=40))
def test_a_sample_is_small_and_of_the_objects_own_bytes(described: list[tuple[int, bool]]) -> None:
    objects = make_objects(*described)
    windows = list(choose_windows(objects))
    assert sum(window.most_bytes for window in windows) <= 5 * WINDOWS * WINDOW_BYTES
    assert len(windows) <= WINDOWS * OBJECTS_PER_WINDOW
    by_uri = {each.uri: each for each in objects}
    for window in windows:
        each, piece = by_uri[window.piece.uri], window.piece
        assert 0 <= piece.start < piece.end <= each.size_bytes == piece.object_bytes
        assert each.is_splittable or (piece.start, piece.end) == (0, each.size_bytes)
    assert bool(windows) is any(each.size_bytes for each in objects)


@given(st.lists(st.integers(0, 40_000), max_size=26))
def test_a_small_input_is_read_in_full(sizes: list[int]) -> None:
    windows = list(choose_windows(make_objects(*((size, True) for size in sizes))))
    assert sum(window.piece.end - window.piece.start for window in windows) == sum(sizes)
    assert len(windows) <= WINDOWS * OBJECTS_PER_WINDOW


def test_a_large_object_is_looked_at_all_over() -> None:
    size = 10 * 2**30
    starts = [window.piece.start for window in choose_windows(make_objects((size, True)))]
    assert starts == [size * number // WINDOWS for number in range(WINDOWS)]


def test_a_compressed_object_is_read_from_its_start_the_further_the_more_of_the_input_it_is() -> None:
    windows = list(choose_windows(make_objects((2**30, False), (2**30, False))))
    assert [(window.piece.uri, window.most_bytes) for window in windows] == [
        ("s3://in/0000", 8 * WINDOW_BYTES),
        ("s3://in/0001", 8 * WINDOW_BYTES),
    ]


def make_store(**objects: bytes) -> ObjectStore:
    store = open_store(f"memory://{uuid.uuid4().hex}/")
    for name, data in objects.items():
        store.put(name.replace("_", "."), data)
    return store


def listed(store: ObjectStore) -> list[InputObject]:
    return [
        InputObject(uri=store.uri_of(meta.key), size_bytes=meta.size, etag=meta.etag, is_splittable="." not in meta.key)
        for meta in sorted(store.list(), key=lambda meta: meta.key)
    ]


def make_input(**changes: Any) -> InputSpec:
    fields = {"uris": ["s3://in/"], "format": "JSONLines", "encodingErrors": "Strict"}
    return make_spec(input={**fields, **changes}).input


async def columns_of(store: ObjectStore, **changes: Any) -> list[tuple[str, str]]:
    options = await settle_columns(make_input(**changes), listed(store), open_store)
    assert options.schema is not None
    return [(column.name, column.type) for column in options.schema]


async def test_columns_come_from_all_objects() -> None:
    store = make_store(a=b'{"k":"x","v":null}\n', b=b'{"k":"y","v":1}\n{"v":2.5,"w":[1]}', c=b"", d=b"no JSON\n7\n")
    assert await columns_of(store) == [("k", "string"), ("v", "double"), ("w", "list<int64>")]


async def test_a_byte_order_mark_is_no_part_of_the_sample() -> None:
    assert await columns_of(make_store(a=b'\xef\xbb\xbf{"id":1}\n')) == [("id", "int64")]
    assert await columns_of(make_store(a_gz=gzip.compress(b'\xef\xbb\xbf{"id":1}\n'))) == [("id", "int64")]


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lambda data: pa.Codec("zstd").compress(data, asbytes=True)]
)
async def test_compressed_objects_are_looked_into(compress: Any) -> None:
    lines = b"".join(b'{"n":%d}\n' % number for number in range(50_000)) + b'{"late":1}\n'
    ending = {gzip.compress: "gz", bz2.compress: "bz2"}.get(compress, "zst")
    assert await columns_of(make_store(**{f"a_{ending}": compress(lines)})) == [("n", "int64"), ("late", "int64")]


async def test_what_cannot_be_read_is_left_to_its_task() -> None:
    store = make_store(a=b'{"a":1}\n', b=b'{"b":1}\n', c_gz=b"no gzip")
    objects = listed(store)
    store.delete("a")
    store.put("b", b"changed")
    options = await settle_columns(make_input(), objects, open_store)
    assert options.schema == ()


async def test_declared_columns_are_pinned_and_nothing_is_read() -> None:
    schema = [{"name": "id", "type": "int64"}]
    options = await settle_columns(
        make_input(schema=schema, unknownFields="Ignore"), make_objects((9, True)), open_store
    )
    assert options.schema == (InputColumn(name="id", type="int64"),)
    assert options.unknown_fields == "Ignore"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ([{"name": "a", "type": "list<text>"}], "spec.input.schema: the type of the column 'a' cannot be read"),
        ([{"name": "a", "type": "int64"}] * 2, "spec.input.schema: two columns are named 'a'"),
    ],
)
async def test_a_schema_that_is_none_is_refused_when_planning(schema: list[dict[str, str]], message: str) -> None:
    with pytest.raises(ActionError, match=message) as refused:
        await settle_columns(make_input(schema=schema), [], open_store)
    assert (refused.value.reason, refused.value.permanent) == ("InvalidInputSchema", True)


@pytest.mark.parametrize("input_format", ["Text", "CSV", "Parquet", "WholeObject"])
async def test_other_formats_have_no_sample(input_format: str) -> None:
    options = await settle_columns(make_input(format=input_format), make_objects((9, True)), open_store)
    assert options.schema is None


def test_a_line_over_4_mib_is_left_out_of_a_sample() -> None:
    long = json.dumps({"x": "y" * (5 << 20)}).encode()
    store = make_store(a=b'{"a":1}\n' + long + b'\n{"b":2}\n', b_gz=gzip.compress(long))
    for name in ("a", "b.gz"):
        size = store.head(name).size
        piece = Piece(uri=store.uri_of(name), start=0, end=size, object_bytes=size)
        lines = read_first_lines(store, name, piece, 100)
        assert long not in lines
