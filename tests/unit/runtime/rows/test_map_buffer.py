"""The map's buffer: whatever was spilled and combined, a blob holds the same groups in the same order."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from podreduce.encoding.codec import UnsupportedTypeError, capture, decode_key
from tests.support.blobs import PLENTY, Record, group_records, make_map_output, read_groups

KEYS = st.one_of(st.integers(0, 20), st.integers(2**70, 2**70 + 2))
RECORDS = st.lists(st.tuples(KEYS, st.one_of(st.integers(), st.text(max_size=5))), max_size=60)
LARGE = random.Random(1).randbytes(700_000).decode("latin-1")  # noqa: S311 - incompressible
IN_ONE_DIRECTORY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def sum_values(_: Any, values: list[Any]) -> list[Any]:
    return [sum(values)]


@given(RECORDS, st.sampled_from([1, 1000, 4000, PLENTY]), st.sampled_from([1, 3, 16]))
@example([(1, LARGE), (1, "y"), (2, LARGE[::-1])], 4000, 1)
@IN_ONE_DIRECTORY
def test_spills_and_buckets_never_change_the_groups(
    tmp_path: Path, records: list[Record], budget_bytes: int, buckets: int
) -> None:
    blob, buffer = make_map_output(records, scratch=tmp_path, budget_bytes=budget_bytes, buckets=buckets)
    groups, _ = read_groups([blob], scratch=tmp_path)
    assert groups == group_records(records)
    assert buffer.records == len(records)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=60), st.sampled_from([1, 1500, PLENTY]))
@IN_ONE_DIRECTORY
def test_combining_never_changes_what_a_reduce_makes_of_the_groups(
    tmp_path: Path, records: list[Record], budget_bytes: int
) -> None:
    blob, _ = make_map_output(records, scratch=tmp_path, budget_bytes=budget_bytes, combine=sum_values)
    groups, _ = read_groups([blob], scratch=tmp_path)
    assert [(key, sum(values)) for key, values in groups] == [
        (key, sum(values)) for key, values in group_records(records)
    ]


def keep_order(_: Any, values: list[Any]) -> list[Any]:
    return [capture([item for value in values for item in value])]


@pytest.mark.parametrize("budget_bytes", [1, 5000, 20_000, PLENTY])
def test_values_reach_a_combiner_in_order_even_over_many_spills(tmp_path: Path, budget_bytes: int) -> None:
    records = [(n % 3, [n]) for n in range(300)]
    blob, _ = make_map_output(records, scratch=tmp_path, budget_bytes=budget_bytes, combine=keep_order)
    groups, _ = read_groups([blob], scratch=tmp_path)
    assert [(key, [item for value in values for item in value]) for key, values in groups] == [
        (key, list(range(key, 300, 3))) for key in range(3)
    ]


def test_more_runs_than_can_be_merged_at_once_are_merged_in_passes(tmp_path: Path) -> None:
    records = [(n % 7, n) for n in range(200)]
    blob, buffer = make_map_output(records, scratch=tmp_path, budget_bytes=1, buckets=2)
    assert buffer.spills == 200
    assert read_groups([blob], scratch=tmp_path)[0] == group_records(records)


def test_combining_in_memory_spares_the_spill(tmp_path: Path) -> None:
    records = [(n % 10, 1) for n in range(20_000)]
    _, buffer = make_map_output(records, scratch=tmp_path, budget_bytes=40_000, combine=sum_values)
    assert buffer.spills == 0
    assert buffer.combined_in > 15_000
    assert buffer.combined_out < 10_000


def test_a_combiner_that_saves_nothing_is_left_alone(tmp_path: Path) -> None:
    calls: list[int] = []

    def give_back(_: Any, values: list[Any]) -> list[Any]:
        calls.append(len(values))
        return values

    records = [(n % 2000, str(n)) for n in range(30_000)]
    blob, _ = make_map_output(records, scratch=tmp_path, budget_bytes=1_000_000, combine=give_back)
    assert read_groups([blob], scratch=tmp_path)[0] == group_records(records)
    assert sum(calls) < 20_000


def test_a_group_of_any_size_is_combined_by_batches(tmp_path: Path) -> None:
    sizes: list[int] = []

    def sum_batch(key: Any, values: list[Any]) -> list[Any]:
        sizes.append(len(values))
        return sum_values(key, values)

    blob, _ = make_map_output([("k", 1)] * 20_000, scratch=tmp_path, combine=sum_batch)
    assert read_groups([blob], scratch=tmp_path)[0] == [("k", [20_000])]
    assert sizes == [8192, 8192, 3616, 3]


def test_keys_that_are_equal_in_a_dict_stay_apart(tmp_path: Path) -> None:
    records = [
        (True, "bool"),
        (1, "int"),
        (1.0, "float"),
        ("1", "str"),
        (b"1", "bytes"),
        ((1,), "tuple"),
        (None, "none"),
    ]
    groups = read_groups([make_map_output(records, scratch=tmp_path)[0]], scratch=tmp_path)[0]
    assert groups == [
        (None, ["none"]),
        (True, ["bool"]),
        (1, ["int", "float"]),
        ("1", ["str"]),
        (b"1", ["bytes"]),
        ((1,), ["tuple"]),
    ]


def test_a_value_changed_after_it_was_added_keeps_what_it_was(tmp_path: Path) -> None:
    value: list[int] = []

    def reuse() -> Any:
        for n in range(3):
            value.append(n)
            yield "k", value

    blob, _ = make_map_output(reuse(), scratch=tmp_path)
    assert read_groups([blob], scratch=tmp_path)[0] == [("k", [[0], [0, 1], [0, 1, 2]])]


def test_each_bucket_holds_its_own_keys_sorted(tmp_path: Path) -> None:
    def bucket_of(key: bytes) -> int:
        return int(decode_key(key)) % 3

    blob, _ = make_map_output([(n, n) for n in range(99, -1, -1)], scratch=tmp_path, buckets=3, bucket_of=bucket_of)
    for bucket in range(3):
        groups = read_groups([blob], scratch=tmp_path, buckets=[bucket])[0]
        assert groups == [(n, [n]) for n in range(bucket, 100, 3)]


@pytest.mark.parametrize("budget_bytes", [1, PLENTY], ids=["while adding", "at the end"])
@pytest.mark.parametrize("hook", ["bucket_of", "combine"])
def test_what_the_program_raises_comes_out_as_it_is(tmp_path: Path, budget_bytes: int, hook: str) -> None:
    def fail(*_: Any) -> Any:
        raise LookupError("the program's own")

    hooks: dict[str, Any] = {hook: fail}
    with pytest.raises(LookupError, match="own"):
        make_map_output([("k", 1), ("k", 2), ("k", 3)] * 10, scratch=tmp_path, budget_bytes=budget_bytes, **hooks)


@pytest.mark.parametrize("record", [({}, 1), ("a", {1})], ids=["key", "value"])
def test_what_cannot_travel_is_refused_when_it_is_added(tmp_path: Path, record: Record) -> None:
    with pytest.raises(UnsupportedTypeError):
        make_map_output([record], scratch=tmp_path)


def test_equal_inputs_make_equal_blobs(tmp_path: Path) -> None:
    records = [(f"word{n % 100}", n) for n in range(2000)]
    first, second = (make_map_output(records, scratch=tmp_path)[0].data for _ in range(2))
    assert first == second
