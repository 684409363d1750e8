"""Aggregates, on the map side and on the reduce side, against the builtins over all values."""

import gc
import math
from pathlib import Path
from sys import getsizeof
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from podreduce.encoding.codec import decode_key, encode_key
from podreduce.rows.aggregate_input import KEY_BYTES, AggregateInput
from podreduce.rows.row_stores import AggregationError
from tests.support.blobs import PLENTY, Record, group_records, make_map_output

OPEN = Path("/proc/self/fd")
BUILTINS: dict[str, Any] = {"sum": sum, "min": min, "max": max, "count": len}
KEYS = st.one_of(st.integers(0, 9), st.sampled_from([2**80, -5]))
MAPS = st.lists(st.lists(st.tuples(KEYS, st.integers(-9, 2**70)), max_size=40), max_size=4)


def reduce_maps(
    maps: list[list[Record]], aggregation: str, *, scratch: Path, budget_bytes: int
) -> tuple[list[Record], AggregateInput]:
    taken = AggregateInput(aggregation, budget_bytes=budget_bytes, scratch_directory=str(scratch))
    for records in maps:
        blob, buffer = make_map_output(records, scratch=scratch, aggregation=aggregation, budget_bytes=budget_bytes)
        assert buffer.records == len(records)
        taken.add_blob(blob.frames())
    return [(decode_key(key), value) for key, value in taken.aggregates()], taken


@given(MAPS, st.sampled_from(sorted(BUILTINS)), st.sampled_from([1, 3000, PLENTY]))
@example([[(1, 5)], [(1, 3), (2, 2**70)]], "min", 1)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_aggregate_is_what_the_builtin_makes_of_all_values(
    tmp_path: Path, maps: list[list[Record]], aggregation: str, budget_bytes: int
) -> None:
    found, _ = reduce_maps(maps, aggregation, scratch=tmp_path, budget_bytes=budget_bytes)
    groups = group_records([record for records in maps for record in records])
    assert found == [(key, BUILTINS[aggregation](values)) for key, values in groups]


@pytest.mark.parametrize("aggregation", ["sum", "min", "max"])
def test_values_that_no_map_has_aggregated_are_aggregated_here(tmp_path: Path, aggregation: str) -> None:
    records: list[Record] = [(n % 40, n) for n in range(50)]
    blob, _ = make_map_output(records, scratch=tmp_path)
    taken = AggregateInput(aggregation, budget_bytes=PLENTY, scratch_directory=str(tmp_path))
    taken.add_blob(blob.frames())
    found = [(decode_key(key), value) for key, value in taken.aggregates()]
    assert found == [(key, BUILTINS[aggregation](values)) for key, values in group_records(records)]


@pytest.mark.parametrize("budget_bytes", [1, 100_000, PLENTY])
@pytest.mark.parametrize("aggregation", ["min", "max"])
def test_long_values_are_aggregated_within_the_budget(tmp_path: Path, budget_bytes: int, aggregation: str) -> None:
    maps = [[(n % 5, f"{n * 7919 % 1000:04}" + "x" * 50_000) for n in range(40)] for _ in range(3)]
    found, taken = reduce_maps(maps, aggregation, scratch=tmp_path, budget_bytes=budget_bytes)
    assert found == [(key, BUILTINS[aggregation](values)) for key, values in group_records(maps[0])]
    assert (taken.spills > 0) == (budget_bytes < PLENTY)


def test_what_came_is_counted_and_no_run_stays_open(tmp_path: Path) -> None:
    gc.collect()  # what earlier tests have left open
    before = sum(1 for _ in OPEN.iterdir())
    blobs = [make_map_output([(n, 1) for n in range(100)], scratch=tmp_path, aggregation="sum")[0] for _ in range(3)]
    frames = [frame for blob in blobs for frame in blob.frames()]
    for budget_bytes, spills in ((1, len(frames)), (PLENTY, 0)):
        taken = AggregateInput("sum", budget_bytes=budget_bytes, scratch_directory=str(tmp_path))
        assert (taken.records, taken.stored_bytes, taken.used_bytes) == (0, 0, 0)
        taken.add_blob(frames)
        assert (taken.records, taken.stored_bytes) == (300, sum(len(frame.body) for frame in frames))
        assert taken.spills == spills
        assert sorted(value for _, value in taken.aggregates()) == [3] * 100
        assert sum(1 for _ in OPEN.iterdir()) == before


def test_merged_runs_hold_an_aggregate_a_key_and_all_can_be_open_at_once(tmp_path: Path) -> None:
    taken = AggregateInput("sum", budget_bytes=1, scratch_directory=str(tmp_path))
    sizes = []
    for number in range(5):
        records: list[Record] = [(n, math.sqrt(number + n)) for n in range(1000)]
        blob, _ = make_map_output(records, scratch=tmp_path, aggregation="sum", buckets=1)
        taken.add_blob(blob.frames())
        sizes.append(open_files(tmp_path))
    assert [len(each) for each in sizes] == [1, 1, 2, 1, 2]
    assert max(map(max, sizes)) < 1.5 * sizes[0][0]
    aggregates = taken.aggregates()
    assert next(aggregates) == (encode_key(0), sum(map(math.sqrt, range(5))))
    assert len(open_files(tmp_path)) == 1


def open_files(directory: Path) -> list[int]:
    """Return the sizes of the files without a name that were made there."""
    names = [each for each in OPEN.iterdir() if each.is_symlink()]
    return [each.stat().st_size for each in names if each.exists() and str(each.readlink()).startswith(f"{directory}/")]


def test_half_of_the_budget_is_used_before_a_spill(tmp_path: Path) -> None:
    frames = make_map_output([(n, 1) for n in range(20_000)], scratch=tmp_path, aggregation="sum", buckets=200)[
        0
    ].frames()
    budget_bytes, most = 1_000_000, 0
    taken = AggregateInput("sum", budget_bytes=budget_bytes, scratch_directory=str(tmp_path))
    for frame in frames:
        taken.add_blob([frame])
        most = max(most, taken.used_bytes)
    assert 0.9 * budget_bytes / 2 < most <= budget_bytes / 2
    assert len(list(taken.aggregates())) == 20_000


@pytest.mark.parametrize(
    ("aggregation", "value", "is_large"),
    [
        ("sum", 1, False),
        ("sum", 0.5, False),
        ("max", 1, False),
        ("max", 0.5, False),
        ("max", 2**63, False),
        ("max", 2**63 + 1, True),
    ],
)
def test_a_key_is_measured_and_its_value_if_that_is_large(
    tmp_path: Path, aggregation: str, value: Any, is_large: bool
) -> None:
    records = [(f"key {n:02}", value) for n in range(50)]
    frames = make_map_output(records, scratch=tmp_path, aggregation=aggregation, buckets=1)[0].frames()
    keys_bytes = 50 * (getsizeof(encode_key("key 00")) + KEY_BYTES)
    expected = keys_bytes + 50 * getsizeof(value) * is_large
    for missing_bytes in (0, 1):
        taken = AggregateInput(
            aggregation, budget_bytes=2 * (expected - missing_bytes), scratch_directory=str(tmp_path)
        )
        taken.add_blob(frames)
        assert (taken.used_bytes, taken.spills) == ((0, 1) if missing_bytes else (expected, 0))


@pytest.mark.parametrize("budget_bytes", [1, PLENTY])
@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ([[(1.0,)], [(math.nan,), (2.0,)]], (2.0,)),
        ([[(math.nan,), (2.0,)]], (math.nan,)),
        ([[(math.nan,), (2.0,)], [(3.0,)]], (math.nan,)),
        ([[(0, 1)], [(1, math.nan), (1, 5)], [(1, 7)]], (1, math.nan)),
    ],
)
def test_what_cannot_be_one_value_is_kept_until_all_have_come(
    tmp_path: Path, budget_bytes: int, maps: list[list[Any]], expected: Any
) -> None:
    records = [[("k", value) for value in values] for values in maps]
    found, _ = reduce_maps(records, "max", scratch=tmp_path, budget_bytes=budget_bytes)
    assert repr(found) == repr([("k", expected)])


def test_a_container_is_kept_as_it_was_when_it_was_yielded(tmp_path: Path) -> None:
    least: list[int] = [3]

    def change() -> Any:
        yield "k", least
        least[0] = 9
        yield "k", [5]
        least[0] = 1

    blob, _ = make_map_output(change(), scratch=tmp_path, aggregation="max")
    taken = AggregateInput("max", budget_bytes=PLENTY, scratch_directory=str(tmp_path))
    taken.add_blob(blob.frames())
    assert list(taken.aggregates()) == [(b"\x05k", [5])]


@pytest.mark.parametrize(
    ("aggregation", "maps"),
    [
        ("sum", [[("k", "a")]]),
        ("sum", [[("k", 1), ("k", None)]]),
        ("min", [[("k", 1), ("k", "a")]]),
        ("max", [[("k", {}), ("k", {})]]),
        ("min", [[("k", 1)], [("k", "a")]]),
    ],
)
@pytest.mark.parametrize("budget_bytes", [1, PLENTY])
def test_values_without_an_aggregate_are_named_by_key(
    tmp_path: Path, aggregation: str, maps: list[list[Record]], budget_bytes: int
) -> None:
    with pytest.raises(AggregationError) as raised:
        reduce_maps(maps, aggregation, scratch=tmp_path, budget_bytes=budget_bytes)
    assert raised.value.key == "k"


def test_one_value_alone_needs_no_order(tmp_path: Path) -> None:
    found, _ = reduce_maps([[("k", None)], [("l", {"a": 1})]], "min", scratch=tmp_path, budget_bytes=PLENTY)
    assert found == [("k", None), ("l", {"a": 1})]


def test_keys_that_are_equal_in_a_dict_stay_apart(tmp_path: Path) -> None:
    keys = [True, 1, 1.0, "1", b"1", (1,), (1.0,), (True,), None]
    found, _ = reduce_maps([[(key, 1) for key in keys]], "sum", scratch=tmp_path, budget_bytes=PLENTY)
    assert found == [(None, 1), (True, 1), (1, 2), ("1", 1), (b"1", 1), ((True,), 1), ((1,), 2)]
