"""Objects of the format Pairs that are damaged, foreign or empty: what is told of them, and what is read."""

import gzip
import itertools
import random
import zlib
from typing import Any

import pyarrow as pa
import pytest

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions
from podreduce.inputs import pairs
from podreduce.storage import open_store
from tests.support.pairs_oracle import HEAD, write_pairs
from tests.support.reading import Found, collect, iter_blocks
from tests.support.task_runs import TaskRun

STORE = open_store("memory://pairs/")
PAIRS = [(f"k{number}", number) for number in range(6)]
FRAMES = [write_pairs(PAIRS[start : start + 2]) for start in (0, 2, 4)]
OBJECT = b"".join(FRAMES)
FIRST, SECOND = len(FRAMES[0]), len(FRAMES[0] + FRAMES[1])


def read(data: bytes, *, name: str = "a", as_columns: bool = False, **how: Any) -> Found:
    blocks = iter_blocks(STORE, name, data, input_format="Pairs", options=InputOptions(), **how)
    return collect(blocks, as_columns=as_columns)


@pytest.mark.parametrize("cut", [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + 15, FIRST + 16, FIRST + 17, len(OBJECT)])
@pytest.mark.parametrize("chunk_bytes", [1, 15, 16, 17, 1000])
def test_a_frame_belongs_to_the_piece_in_which_its_marker_starts(
    cut: int, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "CHUNK_BYTES", chunk_bytes)
    blocks = list(iter_blocks(STORE, "a", OBJECT, input_format="Pairs", options=InputOptions(), cuts=[cut]))
    assert [block.keys() for block in blocks] == [["k0", "k1"], ["k2", "k3"], ["k4", "k5"]]
    assert [block.stored_bytes for block in blocks] == list(map(len, FRAMES))


def test_parts_may_be_put_one_after_the_other() -> None:
    assert read(OBJECT + OBJECT).records == PAIRS + PAIRS
    assert read(gzip.compress(OBJECT) + gzip.compress(OBJECT), name="a.gz").records == PAIRS + PAIRS


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_an_object_without_a_byte_has_no_pairs(name: str) -> None:
    assert read(gzip.compress(b"") if name == "a.gz" else b"", name=name).records == []


DAMAGED: dict[str, tuple[bytes, list[Any], int, bytes, str]] = {
    "body": (OBJECT[: SECOND - 1] + b"\xee" + OBJECT[SECOND:], PAIRS[:2] + PAIRS[4:], FIRST, b"", "body fails its CRC"),
    "header": (
        OBJECT[: FIRST + 30] + b"\xee" + OBJECT[FIRST + 31 :],
        PAIRS[:2] + PAIRS[4:],
        FIRST,
        b"",
        "header fails its CRC",
    ),
    "marker": (
        OBJECT[:FIRST] + b"\xee" + OBJECT[FIRST + 1 :],
        PAIRS[4:],
        0,
        b"",
        f"followed by bytes that are no frame: it has {FIRST} bytes, and {SECOND} are there",
    ),
    "cut short": (OBJECT[:-1], PAIRS[:4], SECOND, b"", "cut short: it has"),
    "cut within the header": (
        OBJECT[: SECOND + 20],
        PAIRS[:4],
        SECOND,
        b"",
        "cut short: a header has 56 bytes, and 20",
    ),
    "cut after a marker": (
        OBJECT[: SECOND + 16],
        PAIRS[:4],
        SECOND,
        OBJECT[SECOND : SECOND + 16],
        "cut short: a header has 56 bytes, and 16",
    ),
    "cut short, and another after it": (
        OBJECT[: FIRST - 3] + OBJECT[FIRST:],
        PAIRS[2:],
        0,
        OBJECT[: FIRST - 3],
        "cut short: it has",
    ),
    "more at the end": (
        OBJECT + b"more",
        PAIRS[:4],
        SECOND,
        FRAMES[2] + b"more",
        "followed by bytes that are no frame",
    ),
    "a long hole": (
        FRAMES[0][:-1] + bytes(20_000) + OBJECT[FIRST:],
        PAIRS[2:],
        0,
        (FRAMES[0][:-1] + bytes(20_000))[:4096],
        "followed by bytes that are no frame",
    ),
}


@pytest.mark.parametrize(("data", "records", "offset", "bad", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_frame_is_named_and_the_others_are_read(
    data: bytes, records: list[Any], offset: int, bad: bytes, message: str
) -> None:
    for name, stored in (("a", data), ("a.gz", gzip.compress(data))):
        found = read(stored, name=name)
        assert found.records == records
        assert [key for key, _ in found.bad] == [offset]
        assert bad in (b"", found.bad[0][1])
        assert found.stored_bytes == len(stored)
    found = read(data, as_columns=True)
    assert [key for key, _ in found.bad] == [offset]
    assert len(found.records) == len(records)
    blocks = iter_blocks(STORE, "a", data, input_format="Pairs", options=InputOptions())
    with pytest.raises(InputError, match=f"^memory://pairs/a: the frame at byte {offset} cannot be read .*{message}"):
        [block.values for block in blocks]


@pytest.mark.parametrize(("data", "records", "offset", "bad", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_job_counts_a_damaged_frame_as_one_bad_record(
    data: bytes, records: list[Any], offset: int, bad: bytes, message: str
) -> None:
    del bad
    source = "class Job:\n    def map_func(self, key, value):\n        yield key, value\n"
    changes = {"input_format": "Pairs", "bad_records": "Skip"}
    run = TaskRun(source=source, objects={"a": data}, partitions=0, cuts=(FIRST, FIRST + 3), plan_changes=changes)
    maps = run.run()
    assert sorted(run.lines_of(maps)) == sorted(f"{key}\t{value}" for key, value in records)
    assert sum(record.quarantine.records for record in maps if record.quarantine) == 1
    kept = [run.store.get(record.quarantine.key).decode() for record in maps if record.quarantine]
    assert len(kept) == 1
    assert f'"key":{offset},' in kept[0]
    assert '"unit":"byte"' in kept[0]
    assert message in kept[0]


@pytest.mark.parametrize("data", [b"x", b"a\t1\n" * 100_000, OBJECT[1:], HEAD], ids=["x", "text", "shifted", "half"])
@pytest.mark.parametrize("cuts", [[], [1], [20, 30]], ids=str)
def test_an_object_of_another_format_fails_the_job_whatever_bad_records_says(data: bytes, cuts: list[int]) -> None:
    with pytest.raises(InputError, match="memory://pairs/a: this is no object of the format Pairs"):
        read(data, cuts=[min(cut, len(data)) for cut in cuts])


def test_a_whole_object_is_decoded_and_what_is_wrong_with_it_is_named() -> None:
    assert list(pairs.decode_pairs(OBJECT, "memory://x/a")) == PAIRS
    with pytest.raises(InputError, match=r"^memory://x/a: this is no object of the format Pairs"):
        list(pairs.decode_pairs(b"x" * 99, "memory://x/a"))
    with pytest.raises(InputError, match=f"^memory://x/a: the frame at byte {FIRST} cannot be read"):
        list(pairs.decode_pairs(OBJECT[: SECOND - 1] + b"\xee" + OBJECT[SECOND:], "memory://x/a"))


@pytest.mark.parametrize("step", [1, 55, 56, 57, 20_000])
def test_all_of_a_sound_frame_is_kept_and_little_of_anything_else(step: int) -> None:
    frame = write_pairs([("k", random.Random(1).randbytes(10_000))])  # noqa: S311 - incompressible
    sound, other = pairs.Segment(0), pairs.Segment(0)
    for start in range(0, len(frame), step):
        sound.add(frame[start : start + step])
    assert (sound.kept, sound.size) == (frame, len(frame))
    for _ in range(3):
        other.add(bytes(pairs.KEPT_BYTES))
    assert (len(other.kept), other.size) == (pairs.KEPT_BYTES, 3 * pairs.KEPT_BYTES)


def test_a_value_that_this_machine_cannot_make_is_a_bad_record() -> None:
    stored = (..., 2, (0, 0, "Nowhere/Atlantis"))
    frame = bytearray(write_pairs([("k", stored)]))
    at = frame.index(b"(\x03\0\0\0.")
    marked = bytes(frame[56:at]) + b"\1" + (len(frame) - at).to_bytes(4, "little") + bytes(frame[at:])
    head = frame[:32] + (at - 56).to_bytes(8, "little") + len(marked).to_bytes(8, "little") * 2
    head[24:28] = zlib.crc32(marked).to_bytes(4, "little")
    head[20:24] = zlib.crc32(head[24:], zlib.crc32(head[16:20])).to_bytes(4, "little")
    found = read(bytes(head) + marked)
    assert found.bad == [(0, bytes(head) + marked)]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_pairs_become_columns_of_the_types_that_parquet_gives_them(rows: int) -> None:
    data = write_pairs([("a", (1, 2.5)), ("b", (2, None)), ("c", None)][:rows])
    schema = pa.schema([("key", pa.string()), ("value", pa.struct([("_1", pa.int64()), ("_2", pa.float64())]))])
    found = read(data, as_columns=True).records
    assert {text for text, _ in found} == {schema.to_string()}
    assert [row["key"] for _, row in found] == ["a", "b", "c"][:rows]


def test_pairs_of_several_types_are_no_columns_and_no_bad_records() -> None:
    data = write_pairs([("a", 1), ("b", "x")])
    with pytest.raises(InputError, match=r"a: the values of the frame at byte 0 are no column .*int and str.*map_func"):
        read(data, as_columns=True)
    assert read(data).records == [("a", 1), ("b", "x")]


def test_a_frame_may_be_larger_than_what_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "CHUNK_BYTES", 1000)
    values = [bytes(range(256)) * 400, b"x", b"y" * 30_000]
    data = b"".join(write_pairs([(number, value)]) for number, value in enumerate(values))
    for cuts in itertools.combinations([1, 500, 102_000, 102_600, 103_000], 2):
        assert [value for _, value in read(data, cuts=list(cuts)).records] == values


def test_what_has_no_frame_takes_no_memory() -> None:
    hole = bytes(1 << 20)
    chunks = itertools.chain([FRAMES[0], FRAMES[1][:-1]], itertools.repeat(hole, 40), [FRAMES[2]])
    found = list(pairs.cut_at_markers(chunks, 0, None))
    assert [segment.size for segment in found] == [FIRST, len(FRAMES[1]) - 1 + 40 * len(hole), len(FRAMES[2])]
    assert max(len(segment.kept) for segment in found) < 2 * len(hole)
