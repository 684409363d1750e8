import gzip
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.plan import (
    DEFAULT_INPUT,
    SEVERAL_INPUTS,
    JobIdentity,
    PageRef,
    Piece,
    Plan,
    Program,
    Sample,
    Shard,
    input_name,
    plan_of_input,
)
from podreduce.contract.wire import decode, encode
from podreduce.inputs.blocks import read_blocks
from podreduce.inputs.text import text_records
from podreduce.storage import open_store
from podreduce_operator.api.spec import decode_spec
from podreduce_operator.balance.even_cuts import imbalance_bytes
from podreduce_operator.model.errors import ActionError
from podreduce_operator.planning.build_plan import PlannedInputs, PlannedShards, build_plan, plan_inputs, plan_shards
from podreduce_operator.planning.packed_input import InputObject
from tests.support.builders.jobs import make_raw_output, make_raw_spec

MIB = 1024**2
JOB = JobIdentity(namespace="default", name="wordcount", uid="u", run_id="1")

sizes = st.integers(0, 12) | st.integers(0, 2**42)
inputs = st.lists(st.tuples(sizes, st.booleans()), max_size=12)


def make_objects(*described: tuple[int, bool]) -> list[InputObject]:
    return [
        InputObject(
            uri=f"s3://corpus/{number:04}{'.txt' if is_splittable else '.gz'}",
            size_bytes=size,
            etag=f"etag-{number}",
            is_splittable=is_splittable,
        )
        for number, (size, is_splittable) in enumerate(described)
    ]


def pieces_of(planned: PlannedShards | PlannedInputs) -> list[Piece]:
    return [piece for shard in planned.shards() for piece in shard.pieces]


def shard_sizes(planned: PlannedShards) -> list[int]:
    return [sum(piece.end - piece.start for piece in shard.pieces) for shard in planned.shards()]


@given(inputs, st.none() | st.integers(1, 40))
def test_pieces_are_the_objects_bytes_in_order_each_once(described: list[tuple[int, bool]], shards: int | None) -> None:
    objects = make_objects(*described)
    pieces = pieces_of(plan_shards(objects, shards=shards, shard_bytes=None if shards else 2**36))
    for each in objects:
        own = [piece for piece in pieces if piece.uri == each.uri]
        edges = [own[0].start, *(piece.end for piece in own)] if own else [0]
        assert (edges[0], edges[-1]) == (0, each.size_bytes)
        assert all(left.end == right.start for left, right in pairwise(own))
        assert all(piece.start < piece.end for piece in own)
        assert {(piece.object_bytes, piece.etag) for piece in own} <= {(each.size_bytes, each.etag)}
    assert [piece.uri for piece in pieces] == sorted(piece.uri for piece in pieces)


@given(inputs, st.integers(1, 40))
def test_compressed_objects_are_never_cut(described: list[tuple[int, bool]], shards: int) -> None:
    pieces = pieces_of(plan_shards(make_objects(*described), shards=shards))
    assert all((piece.start, piece.end) == (0, piece.object_bytes) for piece in pieces if piece.uri.endswith(".gz"))


@given(inputs, st.none() | st.integers(1, 40))
def test_where_objects_are_records_each_has_one_piece_even_an_empty_one(
    described: list[tuple[int, bool]], shards: int | None
) -> None:
    objects = make_objects(*described)
    planned = plan_shards(objects, whole_objects=True, shards=shards, shard_bytes=None if shards else 2**36)
    expected = [(each.uri, 0, each.size_bytes, each.size_bytes, each.etag) for each in objects]
    pieces = pieces_of(planned)
    assert [(each.uri, each.start, each.end, each.object_bytes, each.etag) for each in pieces] == expected
    assert len(list(planned.shards())) == len(planned)


@given(inputs, st.integers(1, 40))
def test_shard_sizes_add_up_and_give_the_imbalance(described: list[tuple[int, bool]], shards: int) -> None:
    planned = plan_shards(make_objects(*described), shards=shards)
    total = sum(size for size, _ in described)
    assert [shard.index for shard in planned.shards()] == list(range(shards))
    assert (len(planned.objects), planned.cuts[-1], sum(shard_sizes(planned))) == (len(described), total, total)
    deviation = sum(abs(size * shards - total) for size in shard_sizes(planned)) / shards
    assert imbalance_bytes(planned.cuts) == pytest.approx(deviation)


@given(st.lists(sizes, max_size=12), st.integers(1, 40))
def test_plain_objects_are_cut_to_less_than_a_byte_a_shard(plain: list[int], shards: int) -> None:
    planned = plan_shards(make_objects(*((size, True) for size in plain)), shards=shards)
    assert imbalance_bytes(planned.cuts) < shards


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        pytest.param([], [0], id="no-objects"),
        pytest.param([(0, True), (0, False)], [0], id="only-empty-objects"),
        pytest.param([(1, True)], [1], id="one-byte"),
        pytest.param([(128 * MIB, True)], [128 * MIB], id="one-shard-exactly"),
        pytest.param([(128 * MIB + 1, True)], [64 * MIB, 64 * MIB + 1], id="one-byte-more"),
        pytest.param([(200 * MIB, False)], [200 * MIB], id="one-compressed-object"),
        pytest.param([(200 * MIB, False)] * 3, [200 * MIB] * 3, id="compressed-objects"),
    ],
)
def test_a_shard_for_each_128_mib_with_bytes(described: list[tuple[int, bool]], expected: list[int]) -> None:
    assert shard_sizes(plan_shards(make_objects(*described))) == expected


def test_the_worked_example_holds() -> None:
    planned = plan_shards(make_objects((6, True), (7, False), (2, True)), shards=3)
    assert imbalance_bytes(planned.cuts) == 6
    assert sorted(shard_sizes(planned)) in ([2, 5, 8], [2, 6, 7])


def test_as_many_shards_as_the_user_asks_for_even_without_bytes() -> None:
    assert shard_sizes(plan_shards(make_objects((2, True)), shards=5)) == [0, 0, 1, 0, 1]
    assert shard_sizes(plan_shards(make_objects((2, False)), shards=3)) == [2, 0, 0]


def test_shard_size_decides_the_count() -> None:
    assert shard_sizes(plan_shards(make_objects((10, True)), shard_bytes=3)) == [2, 3, 2, 3]


def test_a_shard_size_too_small_for_the_input_is_refused() -> None:
    with pytest.raises(ActionError, match="set it to at least 11") as refusal:
        plan_shards(make_objects((1_000_001, True)), shard_bytes=1)
    assert (refusal.value.reason, refusal.value.permanent) == ("TooManyShards", True)


def test_a_hundred_thousand_shards_are_planned() -> None:
    planned = plan_shards(make_objects(*[(10**9 + number, True) for number in range(1000)]), shards=100_000)
    assert len(planned) == len(list(planned.shards())) == 100_000


text = st.lists(st.sampled_from([b"", b"a", b"bc", b"\r", b"x" * 9, "é".encode()]), max_size=8).map(b"\n".join)


@given(st.lists(st.tuples(text, st.booleans()), max_size=5), st.integers(1, 12))
def test_every_record_is_read_exactly_once(contents: list[tuple[bytes, bool]], shards: int) -> None:
    store = open_store("memory://planner/")
    expected, objects = [], []
    for number, (content, is_splittable) in enumerate(contents):
        key = f"{number}.txt" if is_splittable else f"{number}.gz"
        data = content if is_splittable else gzip.compress(content, mtime=0)
        store.put(key, data)
        objects.append(InputObject(uri=f"memory://planner/{key}", size_bytes=len(data), is_splittable=is_splittable))
        lines = content.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for position, line in enumerate(lines):
            offset = sum(len(each) + 1 for each in lines[:position])
            is_ended = position < len(lines) - 1 or content.endswith(b"\n")
            expected.append((key, offset, (line.removesuffix(b"\r") if is_ended else line).decode()))
    records = []
    for piece in pieces_of(plan_shards(objects, shards=shards)):
        key = piece.uri.removeprefix("memory://planner/")
        for block in read_blocks(store, key, piece):
            found = text_records(block, piece.uri, errors="strict")
            records += [(key, offset, value) for offset, value in zip(found.keys(), found.values, strict=True)]
    assert records == expected


def make_plan(raw_spec: dict[str, Any], planned: PlannedShards | None = None, pages: Iterable[PageRef] = ()) -> Plan:
    return build_plan(
        job=JOB,
        spec=decode_spec(raw_spec),
        raw_spec=raw_spec,
        program=Program(module="jobs"),
        planned=planned or plan_shards([]),
        pages=pages,
    )


@pytest.mark.parametrize(
    ("objects", "shards", "pages"),
    [
        pytest.param(1, 1, [1], id="one"),
        pytest.param(1, 1000, [1000], id="a-full-page"),
        pytest.param(1, 2001, [1000, 1000, 1], id="pages-of-a-thousand-shards"),
        pytest.param(10_000, 1, [1], id="as-many-pieces-as-a-page-holds"),
        pytest.param(10_001, 2, [1, 1], id="more-pieces"),
        pytest.param(30_000, 6, [2, 2, 2], id="pages-of-ten-thousand-pieces"),
        pytest.param(25_000, 2, [1, 1], id="a-shard-is-never-cut"),
        pytest.param(0, 2, [2], id="no-pieces"),
    ],
)
def test_shards_come_in_pages_that_a_task_can_read(objects: int, shards: int, pages: list[int]) -> None:
    planned = plan_shards(make_objects(*[(6000, True)] * objects), shards=shards)
    found = list(planned.pages())
    assert [len(page.shards) for page in found] == pages
    assert [shard for page in found for shard in page.shards] == list(planned.shards())


def test_small_objects_are_packed_into_shards() -> None:
    planned = plan_shards(make_objects(*[(20_000, True)] * 20_000))
    assert [len(shard.pieces) for shard in planned.shards()] == [6667, 6668, 6667]


@pytest.mark.parametrize(
    ("partitions", "input_bytes", "expected"),
    [
        pytest.param(4, 1, (4, 4, 64), id="as-the-user-says"),
        pytest.param(0, 1, (0, 1, 0), id="map-only"),
        pytest.param(None, 0, (None, 1, 256), id="left-to-the-packing"),
        pytest.param(None, 256 * MIB + 1, (None, 2, 256), id="one-for-each-256-mib"),
        pytest.param(None, 10**15, (None, 4096, 4096), id="not-beyond-4096"),
    ],
)
def test_partitions_of_the_plan(
    partitions: int | None, input_bytes: int, expected: tuple[int | None, int, int]
) -> None:
    raw_spec = make_raw_spec(reduce={} if partitions is None else {"partitions": partitions})
    planned = PlannedShards(objects=(), cuts=[0, input_bytes])
    plan = make_plan(raw_spec, planned)
    assert (plan.partitions, plan.user_partitions, plan.virtual_buckets) == expected


@pytest.mark.parametrize(
    ("output", "reduce", "expected"),
    [
        pytest.param("Partition", {}, ("Partition", None, 256), id="within-parts"),
        pytest.param("Total", {}, ("Total", None, 1), id="total"),
        pytest.param("Total", {"partitions": 4, "partitionKeyLength": 2}, ("Total", 2, 1), id="total-by-prefix"),
        pytest.param("Partition", {"partitions": 4, "partitionKeyLength": 1}, ("Partition", 1, 64), id="by-prefix"),
        pytest.param("Partition", {"partitions": 4, "partitioning": "Hash"}, ("Partition", None, 4), id="by-hash"),
        pytest.param("Partition", {"partitions": 4096, "partitioning": "Hash"}, ("Partition", None, 4096), id="most"),
    ],
)
def test_the_plan_says_how_keys_are_ordered_and_placed(
    output: str, reduce: dict[str, Any], expected: tuple[str, int | None, int]
) -> None:
    raw_spec = make_raw_spec(reduce=reduce)
    raw_spec["output"]["order"] = output
    planned = PlannedShards(objects=(), cuts=[0, 1])
    plan = make_plan(raw_spec, planned)
    assert (plan.order, plan.partition_key_length, plan.virtual_buckets) == expected


def test_a_sampled_input_has_a_name_which_tasks_of_earlier_releases_refuse() -> None:
    raw_spec = make_raw_spec()
    raw_spec["input"]["sample"] = {"fraction": 0.25, "seed": 3}
    plan = make_plan(raw_spec, PlannedShards(objects=(), cuts=[0, 1]))
    assert plan.input_format == SEVERAL_INPUTS
    assert [each.name for each in plan.inputs] == [DEFAULT_INPUT]
    assert plan_of_input(plan, Shard(index=0, pieces=())).input_options.sample == Sample(fraction=0.25, seed=3)


def test_a_partition_func_chooses_among_as_many_partitions_as_may_run() -> None:
    raw_spec = make_raw_spec(parallelism=3)
    planned = PlannedShards(objects=(), cuts=[0, 100 * MIB])
    plan = make_plan(raw_spec, planned)
    assert plan.user_partitions == 3


def test_the_plan_pins_the_spec_without_its_live_fields() -> None:
    raw_spec = make_raw_spec(
        parallelism=3,
        output=make_raw_output(uri="s3://corpus/counts"),
    )
    plan = make_plan(raw_spec)
    assert sorted(plan.spec) == [
        "badRecords",
        "execution",
        "input",
        "output",
        "program",
        "runId",
        "storage",
        "tasksPerPod",
    ]
    assert plan.output_uri == "s3://corpus/counts/"


def test_the_plan_says_how_parts_are_written() -> None:
    output = make_raw_output(format="CSV", compression="Zstd", columns=["word", "count"])
    raw_spec = make_raw_spec(output=output)
    plan = make_plan(raw_spec)
    assert (plan.output_format, plan.output_compression) == ("CSV", "Zstd")
    assert (plan.output_columns, plan.output_record_length) == (("word", "count"), None)


def test_the_same_input_gives_the_same_bytes() -> None:
    objects = make_objects(*((number * 7919 % 10_007, number % 3 > 0) for number in range(50)))
    plans = [make_plan(make_raw_spec(), plan_shards(objects, shards=9)) for _ in range(2)]
    assert encode(plans[0]) == encode(plans[1])
    assert decode(encode(plans[0]), Plan) == plans[0]


@given(st.lists(inputs, min_size=1, max_size=4), st.none() | st.integers(4, 30), st.booleans())
def test_each_of_several_inputs_is_cut_as_if_it_were_alone(
    described: list[list[tuple[int, bool]]], shards: int | None, whole: bool
) -> None:
    listings = [make_objects(*each) for each in described]
    planned = plan_inputs(
        listings, whole_objects=[whole] * len(listings), shards=shards, shard_bytes=None if shards else 2**36
    )
    found = list(planned.shards())
    assert [shard.index for shard in found] == list(range(len(planned)))
    assert [shard.input for shard in found] == sorted(shard.input for shard in found)
    assert {shard.input for shard in found} == set(range(len(listings)))
    assert shards is None or len(found) == shards
    assert planned.object_count == sum(map(len, listings))
    for number, listing in enumerate(listings):
        own = [shard.pieces for shard in found if shard.input == number]
        alone = plan_shards(listing, whole_objects=whole, shards=len(own)).shards()
        assert own == [shard.pieces for shard in alone]
    lengths = [sum(piece.end - piece.start for piece in shard.pieces) for shard in found]
    assert [end - start for start, end in pairwise(planned.cuts)] == lengths


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=4), st.integers(0, 20))
def test_shards_over_several_inputs_are_as_even_as_shares_of_them_can_be(plain: list[int], more: int) -> None:
    listings = [make_objects((size, True)) for size in plain]
    wanted = len(plain) + more
    planned = plan_inputs(listings, whole_objects=[False] * len(plain), shards=wanted)
    shares = [len(each) for each in planned.inputs]
    mean = sum(plain) / wanted
    ideal = sum(abs(size - share * mean) for size, share in zip(plain, shares, strict=True))
    assert imbalance_bytes(planned.cuts) <= ideal + wanted


SEVERAL = [
    {"name": "a", "uris": ["s3://corpus/a/"], "format": "Text", "encodingErrors": "Replace"},
    {"name": "b", "uris": ["s3://corpus/b/"], "format": "CSV", "encodingErrors": "Strict", "csv": {"header": False}},
]


def test_a_plan_with_several_inputs_tells_each_shard_how_to_read_its_own() -> None:
    planned = plan_inputs([make_objects((10, True)), make_objects((30, True))], whole_objects=[False] * 2, shards=4)
    raw_spec = make_raw_spec(input=None, inputs=SEVERAL)
    plan = build_plan(
        job=JOB, spec=decode_spec(raw_spec), raw_spec=raw_spec, program=Program(source="x"), planned=planned, pages=()
    )
    assert (plan.bytes, plan.shards, plan.objects) == (40, 4, 2)
    assert plan.input_format == "Several"
    views = [plan_of_input(plan, shard) for shard in planned.shards()]
    assert [view.input_format for view in views] == ["Text", "CSV", "CSV", "CSV"]
    assert [view.encoding_errors for view in views] == ["Replace", "Strict", "Strict", "Strict"]
    assert [view.input_options.csv_header for view in views] == [True, False, False, False]
    assert [input_name(plan, shard) for shard in planned.shards()] == ["a", "b", "b", "b"]


def test_a_plan_with_one_input_has_no_names() -> None:
    planned = plan_shards(make_objects((10, True)), shards=1)
    raw_spec = make_raw_spec()
    plan = build_plan(
        job=JOB, spec=decode_spec(raw_spec), raw_spec=raw_spec, program=Program(source="x"), planned=planned, pages=()
    )
    assert plan.inputs == ()
    assert [input_name(plan, shard) for shard in planned.shards()] == ["input"]
    assert all(plan_of_input(plan, shard) == plan for shard in planned.shards())
