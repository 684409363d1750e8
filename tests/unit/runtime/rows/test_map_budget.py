"""How the map's buffer keeps to its budget: what it holds, when it combines and spills, and what stays open."""

import gc
from pathlib import Path
from typing import Any

import pytest

from podreduce.encoding.key_sampler import KeySampler
from podreduce.rows import map_buffer
from podreduce.rows.combining import Combine
from podreduce.rows.map_buffer import STEP_BYTES, MapOutputBuffer
from podreduce.rows.row_stores import Aggregates
from tests.support.blobs import PLENTY, Blob, Record, make_map_output, read_groups

BUDGET = 100_000
OPEN = Path("/proc/self/fd")


def make_buffer(scratch: Path, budget_bytes: int = PLENTY, **more: Any) -> MapOutputBuffer:
    return MapOutputBuffer(
        buckets=1, bucket_of=lambda _: 0, budget_bytes=budget_bytes, scratch_directory=str(scratch), **more
    )


def sum_values(_: Any, values: list[Any]) -> list[Any]:
    return [sum(values)]


@pytest.mark.parametrize(("budget_bytes", "step"), [(6400, 100), (1, 0), (PLENTY, STEP_BYTES)])
def test_memory_is_granted_in_steps(tmp_path: Path, budget_bytes: int, step: int) -> None:
    buffer = make_buffer(tmp_path, budget_bytes)
    assert [buffer.grant(1), buffer.grant(1000)] == [step, step]


@pytest.mark.parametrize("combine", [None, sum_values], ids=["plain", "combined"])
def test_what_is_held_stays_within_the_budget_and_uses_it(tmp_path: Path, combine: Combine | None) -> None:
    buffer = make_buffer(tmp_path, BUDGET, combine=combine)
    most = 0
    for number in range(3000):
        buffer.add(number, 1000 + number)
        most = max(most, buffer.store.used_bytes())
    assert 0.9 * BUDGET < most <= BUDGET
    assert buffer.spills == pytest.approx(3000 * 312 / BUDGET, abs=1)


@pytest.mark.parametrize(("groups", "spills"), [(150, False), (200, True)], ids=["under half", "over half"])
def test_a_spill_is_due_if_combining_leaves_more_than_half_the_budget(
    tmp_path: Path, groups: int, spills: bool
) -> None:
    buffer = make_buffer(tmp_path, BUDGET, combine=sum_values)
    for number in range(10_000):
        buffer.add(number % groups, 1000)
    assert (buffer.spills > 0) is spills


def test_groups_are_combined_again_when_they_have_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_buffer, "COMBINE_BYTES", 10_000)
    calls = 0

    def combine(_: Any, values: list[Any]) -> list[Any]:
        nonlocal calls
        calls += 1
        return [sum(values)]

    buffer = make_buffer(tmp_path, BUDGET, combine=combine)
    for number in range(10_000):
        buffer.add(number % 100, 1000)  # a group takes 312 bytes, and each further value 44
    assert 10 * 100 < calls < 18 * 100


def test_a_combiner_gets_the_keys_of_the_program(tmp_path: Path) -> None:
    keys = [1, "a", 1.5, None, (1, 2), b"x"]
    seen: list[Any] = []

    def combine(key: Any, values: list[Any]) -> list[Any]:
        seen.append(key)
        return values

    make_map_output([(key, 1) for key in keys * 2], scratch=tmp_path, combine=combine)
    assert sorted(map(repr, seen)) == sorted(map(repr, keys))


@pytest.mark.parametrize("aggregation", [None, "sum"])
def test_no_run_stays_open(tmp_path: Path, aggregation: str | None) -> None:
    gc.collect()  # what earlier tests have left open
    before = sum(1 for _ in OPEN.iterdir())
    _, buffer = make_map_output(
        [(number, 1) for number in range(500)], scratch=tmp_path, budget_bytes=10_000, aggregation=aggregation
    )
    assert buffer.spills > 1
    assert sum(1 for _ in OPEN.iterdir()) == before
    assert (buffer.combined_in, buffer.combined_out) == (0, 0)


def test_keys_that_are_not_counted_yet_are_in_the_blob(tmp_path: Path) -> None:
    buffer = make_buffer(tmp_path, aggregation="count")
    assert isinstance(buffer.store, Aggregates)
    buffer.store.uncounted.extend(["a", "b", "a"])
    written = bytearray()
    summary = buffer.finish(written.extend)
    groups, _ = read_groups([Blob(data=bytes(written), summary=summary)], scratch=tmp_path)
    assert groups == [("a", [2]), ("b", [1])]


RECORDS: list[Record] = [(("a", 1), "x" * 50), (("a", 2), "y" * 50), (("b", 1), "z" * 90)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [("('b', 1)", 1), ("('a', 1)", 1), ("('a', 2)", 1)]),
        ({"key_elements": 1}, [("('a',)", 2), ("('b',)", 1)]),
        ({"aggregation": "max"}, []),
    ],
    ids=["whole keys", "first elements", "aggregates"],
)
def test_the_heaviest_keys_are_told_unless_all_weigh_the_same(
    tmp_path: Path, more: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    buffer = make_buffer(tmp_path, **more)
    for record in RECORDS:
        buffer.add(*record)
    buffer.finish(lambda _: None)
    assert [(each.key, each.values) for each in buffer.heavy_keys.heaviest()] == expected


def test_the_keys_of_a_blob_in_total_order_are_sampled(tmp_path: Path) -> None:
    sampled, plain = make_buffer(tmp_path, sampler=KeySampler()), make_buffer(tmp_path)
    for record in RECORDS:
        sampled.add(*record)
        plain.add(*record)
    assert sampled.finish(lambda _: None).key_samples
    assert not plain.finish(lambda _: None).key_samples
