"""The reduce's buffer: groups in key order, values in map order, whatever was spilled; memory stays bounded."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podreduce.encoding.codec import decode_key
from podreduce.encoding.frames import StoredFrame, estimate_open_bytes
from podreduce.rows.reduce_input import STORED_FRAME_BYTES, HeldRun, ReduceInput, cut_by_open_bytes
from tests.support.blobs import (
    PLENTY,
    Blob,
    Record,
    group_records,
    make_blob,
    make_frames,
    make_map_output,
    read_groups,
)

BLOBS = st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 300)), max_size=20), max_size=5)


def write_blob(records: list[Record], *, frame_rows: int, buckets: int = 4) -> Blob:
    """A blob in which key k lies in bucket k mod `buckets`."""
    parts = [[record for record in records if record[0] % buckets == bucket] for bucket in range(buckets)]
    return make_blob(
        [
            frame
            for bucket, part in enumerate(parts)
            for frame in make_frames(part, frame_rows=frame_rows, bucket=bucket)
        ],
        buckets=buckets,
    )


@given(BLOBS, st.sampled_from([1, 1000, 10_000, PLENTY]), st.integers(1, 20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_groups_come_in_key_order_with_values_in_map_order_whatever_was_spilled(
    tmp_path: Path, maps: list[list[Record]], budget_bytes: int, frame_rows: int
) -> None:
    blobs = [write_blob(records, frame_rows=frame_rows) for records in maps]
    groups, reduce_input = read_groups(blobs, scratch=tmp_path, budget_bytes=budget_bytes)
    assert groups == group_records(record for records in maps for record in records)
    assert reduce_input.records == reduce_input.reduced == sum(map(len, maps))
    assert reduce_input.stored_bytes == sum(len(frame.body) for blob in blobs for frame in blob.frames())
    assert list(tmp_path.iterdir()) == []


def make_many_maps(maps: int) -> list[Blob]:
    return [write_blob([(n % 50, (m, n)) for n in range(200)], frame_rows=10) for m in range(maps)]


@pytest.mark.parametrize("budget_bytes", [1, 20_000, 100_000, 5_000_000, PLENTY])
def test_any_budget_gives_the_same_groups(tmp_path: Path, budget_bytes: int) -> None:
    groups, _ = read_groups(make_many_maps(40), scratch=tmp_path, budget_bytes=budget_bytes)
    assert groups == [(key, [(m, n) for m in range(40) for n in range(key, 200, 50)]) for key in range(50)]


def test_what_fits_is_not_spilled_and_what_does_not_is_counted(tmp_path: Path) -> None:
    blobs = make_many_maps(10)
    assert read_groups(blobs, scratch=tmp_path)[1].spills == 0
    assert read_groups(blobs, scratch=tmp_path, budget_bytes=10_000)[1].spills > 5


def make_segment(frames: int) -> list[StoredFrame]:
    """One segment of frames of one size, which cannot be compressed."""
    segment = [frame for number in range(frames) for frame in make_frames([(number, b"x" * 3000)])]
    return [*(replace(frame, ends_segment=False) for frame in segment[:-1]), *segment[-1:]]


@pytest.mark.parametrize(
    ("held", "extra_bytes", "spills"),
    [(2, 0, [0, 0, 1, 1, 1, 2]), (2, -1, [0, 1, 1, 2, 2, 3]), (3, 0, [0, 0, 0, 1, 1, 1])],
    ids=["two", "not quite two", "three"],
)
def test_segments_are_spilled_when_they_take_more_than_half_of_the_budget(
    tmp_path: Path, held: int, extra_bytes: int, spills: list[int]
) -> None:
    segment = make_segment(len(spills))
    half = held * (len(segment[0].body) + STORED_FRAME_BYTES) + extra_bytes
    reduce_input = ReduceInput(budget_bytes=2 * half, scratch_directory=str(tmp_path))
    found = []

    def frames() -> Iterator[StoredFrame]:
        for frame in segment:
            yield frame
            found.append(reduce_input.spills)

    reduce_input.add_blob(frames())
    assert found == spills


@pytest.mark.parametrize(("too_few", "spills"), [(0, 0), (1, 2)], ids=["fits", "does not"])
def test_segments_that_cannot_all_be_open_in_half_of_the_budget_are_spilled(
    tmp_path: Path, too_few: int, spills: int
) -> None:
    segments = [make_segment(1), make_segment(1)]
    half = sum(estimate_open_bytes(frame) for segment in segments for frame in segment) - too_few
    reduce_input = ReduceInput(budget_bytes=2 * half, scratch_directory=str(tmp_path))
    for segment in segments:
        reduce_input.add_blob(segment)
    assert len(list(reduce_input.groups())) == 1
    assert reduce_input.spills == spills


def test_what_follows_a_spill_is_opened_for_itself(tmp_path: Path) -> None:
    large, small = make_frames([(1, b"x" * 50_000)]), make_frames([(2, b"y")])
    half = estimate_open_bytes(large[0]) // 10
    reduce_input = ReduceInput(budget_bytes=2 * half, scratch_directory=str(tmp_path))
    reduce_input.add_blob([replace(large[0], ends_segment=False), *small])
    reduce_input.add_blob(small)
    assert [list(values) for _, values in reduce_input.groups()] == [[b"x" * 50_000], [b"y", b"y"]]
    assert reduce_input.spills == 2


@pytest.mark.parametrize(
    ("open_bytes", "cut"),
    [
        ([], []),
        ([11], [[11]]),
        ([4, 6], [[4, 6]]),
        ([4, 7], [[4], [7]]),
        ([11, 4, 6, 1], [[11], [4, 6], [1]]),
        ([11, 4, 7], [[11], [4], [7]]),
        ([0, 0], [[0, 0]]),
    ],
    ids=str,
)
def test_as_many_neighbours_are_merged_as_fit(open_bytes: list[int], cut: list[list[int]]) -> None:
    runs = [HeldRun(open_bytes=size) for size in open_bytes]
    assert [[run.open_bytes for run in together] for together in cut_by_open_bytes(runs, 10)] == cut


@pytest.mark.parametrize("budget_bytes", [1, PLENTY], ids=["spilled", "in memory"])
def test_values_a_program_leaves_are_skipped(tmp_path: Path, budget_bytes: int) -> None:
    reduce_input = ReduceInput(budget_bytes=budget_bytes, scratch_directory=str(tmp_path))
    for blob in make_many_maps(3):
        reduce_input.add_blob(blob.frames())
    found: list[tuple[Any, list[Any]]] = []
    for key, values in reduce_input.groups():
        number = decode_key(key)
        found.append((number, [value for value, _ in zip(values, range(number % 3), strict=False)]))
    assert [key for key, _ in found] == list(range(50))
    assert found[2] == (2, [(0, 2), (0, 52)])


def test_a_partition_takes_only_its_buckets(tmp_path: Path) -> None:
    groups, reduce_input = read_groups(make_many_maps(2), scratch=tmp_path, buckets=[1, 3])
    assert [key for key, _ in groups] == list(range(1, 50, 2))
    assert reduce_input.records == 200


def test_no_maps_give_no_groups(tmp_path: Path) -> None:
    assert read_groups([], scratch=tmp_path)[0] == []


def test_a_50_mb_value_passes_through_every_spill(tmp_path: Path) -> None:
    value = random.Random(1).randbytes(50 << 20)  # noqa: S311 - incompressible
    blob, _ = make_map_output([("a", 1), ("b", value), ("b", 2)], scratch=tmp_path, budget_bytes=1)
    groups, _ = read_groups([blob, blob], scratch=tmp_path, budget_bytes=1)
    assert groups == [("a", [1, 1]), ("b", [value, 2, value, 2])]


MEASURED = """
import json, os, sys
from random import Random
from podreduce.encoding.codec import decode_key
from podreduce.encoding.frames import lz4
from podreduce.rows.reduce_input import ReduceInput
from podreduce.encoding.blobs import read_footer, read_frames
from podreduce.rows.map_buffer import MapOutputBuffer

def peak_bytes():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

scratch, budget_bytes, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
lz4()
random, pool, before = Random(1), Random(2).randbytes(1 << 20), peak_bytes()
blobs, spills = [], 0
for number in range(4):
    buffer = MapOutputBuffer(
        buckets=8, bucket_of=lambda key: key[-1] % 8, budget_bytes=budget_bytes, scratch_directory=scratch
    )
    for n in range(rows):
        at = random.randrange(1 << 19)
        buffer.add("heavy" if n % 2 else at, pool[at : at + 400])
    with open(f"{scratch}/blob", "wb") as file:
        blobs.append((os.open(f"{scratch}/blob", os.O_RDONLY), buffer.finish(file.write)))
    os.unlink(f"{scratch}/blob")
    spills += buffer.spills
map_peak, map_spills = peak_bytes() - before, spills
taken = ReduceInput(budget_bytes=budget_bytes, scratch_directory=scratch)
for blob, summary in blobs:
    fetch = lambda start, end: os.pread(blob, end - start, start)
    footer = read_footer(fetch(summary.footer_offset, summary.bytes), crc32=summary.footer_crc32)
    taken.add_blob(read_frames(footer, range(8), fetch, request_bytes=1 << 20))
heavy, others = 0, 0
for key, values in taken.groups():
    count = sum(1 for _ in values)
    heavy, others = (count, others) if key == b"\\x05heavy" else (heavy, others + count)
print(json.dumps([heavy, others, map_spills, taken.spills, map_peak, peak_bytes() - before]))
"""
"""A map task four times and a reduce task, in one process; prints what came out and the growth of its peak memory."""


def test_memory_stays_bounded_with_half_of_the_data_under_one_key(tmp_path: Path) -> None:
    budget_bytes, rows = 16 << 20, 40_000
    command = [sys.executable, "-c", MEASURED, str(tmp_path), str(budget_bytes), str(rows)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    heavy, others, map_spills, reduce_spills, map_peak, peak = json.loads(printed)
    assert (heavy, others) == (80_000, 80_000)
    assert map_spills >= 4
    assert reduce_spills >= 2
    assert map_peak < 1.5 * budget_bytes
    assert peak < 1.75 * budget_bytes  # the reduce also has what four maps have left of the heap, of 64 MB of values


def count_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are listed in /proc")
def test_scratch_space_is_given_back_with_the_last_group(tmp_path: Path) -> None:
    reduce_input = ReduceInput(budget_bytes=1, scratch_directory=str(tmp_path))
    before = count_descriptors()
    for blob in make_many_maps(5):
        reduce_input.add_blob(blob.frames())
    groups = reduce_input.groups()
    next(groups)
    assert count_descriptors() == before + 1, "so small a budget has room for one run"
    assert len(list(groups)) == 49
    assert count_descriptors() == before
