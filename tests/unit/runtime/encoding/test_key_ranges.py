"""A range of keys is read from a blob exactly, from few frames, and samples tell how the keys are spread."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.task import KeySample
from podreduce.encoding.blobs import MAX_INDEX_ENTRIES, BlobWriter, read_range
from podreduce.encoding.clip import clip_frame
from podreduce.encoding.codec import encode_key
from podreduce.encoding.frames import CorruptBlobError
from podreduce.encoding.key_index import KeyIndex
from podreduce.encoding.key_range import MAX_CUT_BYTES, KeyRange
from podreduce.encoding.key_sampler import MAX_SAMPLES, KeySampler, thin
from tests.support.blobs import Blob, make_blob, make_frames
from tests.support.ordered_blobs import fetch_from, footer_of, frames_in, make_ordered_blob, records_in

KEYS = st.one_of(st.integers(0, 30), st.text("ab", max_size=3), st.tuples(st.integers(0, 3), st.integers(0, 3)))
RECORDS = st.lists(st.tuples(KEYS, st.integers(0, 300)), max_size=60)


def in_order(records: list) -> list:
    return sorted(records, key=lambda record: encode_key(record[0]))


@given(RECORDS, st.lists(KEYS, max_size=5), st.integers(1, 20))
def test_the_ranges_of_a_blob_are_all_of_it_in_order(records: list, cuts: list, frame_rows: int) -> None:
    ranges = sorted(map(encode_key, cuts))
    blob = make_ordered_blob(records, frame_rows=frame_rows)
    parts = [frames_in(blob, KeyRange.of_partition(ranges, number)) for number in range(len(ranges) + 1)]
    assert [record for part in parts for record in records_in(part)] == in_order(records)
    assert [[frame.ends_segment for frame in part[-2:]] for part in parts if part] == [
        [False, True][-len(part) :] for part in parts if part
    ]


@given(RECORDS, KEYS, KEYS)
def test_a_range_has_just_its_keys(records: list, low: object, high: object) -> None:
    key_range = KeyRange(low=encode_key(low), high=encode_key(high))
    found = records_in(frames_in(make_ordered_blob(records, frame_rows=3), key_range))
    assert found == [
        each for each in in_order(records) if key_range.low <= encode_key(each[0]) < (key_range.high or b"")
    ]


@pytest.mark.parametrize(
    ("low", "high"), [("m", "m"), ("m", "a"), ("", "a"), ("z", None)], ids=["empty", "inverted", "before", "after"]
)
def test_a_range_without_keys_has_no_frames(low: str, high: str | None) -> None:
    blob = make_ordered_blob([(f"key{n}", n) for n in range(100)], frame_rows=10)
    key_range = KeyRange(low=encode_key(low), high=None if high is None else encode_key(high))
    assert frames_in(blob, key_range) == []


@pytest.mark.parametrize(
    ("low", "high", "is_empty"),
    [
        (b"", None, False),
        (b"a", None, False),
        (b"", b"", True),
        (b"a", b"b", False),
        (b"a", b"a\0", False),
        (b"a", b"a", True),
        (b"b", b"a", True),
    ],
)
def test_a_range_is_empty_without_a_key_from_its_low_up_to_its_high(
    low: bytes, high: bytes | None, is_empty: bool
) -> None:
    assert KeyRange(low=low, high=high).is_empty is is_empty


@pytest.mark.parametrize(
    ("low", "high", "entries"),
    [
        (b"", None, (0, 2)),
        (b"c", None, (0, 2)),
        (b"d", None, (0, 2)),
        (b"e", None, (1, 2)),
        (b"a", b"b", (0, 0)),
        (b"a", b"c", (0, 1)),
        (b"e", b"f", (1, 2)),
        (b"c", b"c", (0, 0)),
        (b"f", b"e", (0, 0)),
    ],
)
def test_the_entry_before_a_range_may_have_its_first_key(low: bytes, high: bytes | None, entries: object) -> None:
    key_range = KeyRange(low=low, high=high)
    assert KeyIndex(keys=(b"b", b"d"), offsets=(0, 10, 20)).overlap(key_range) == entries
    assert KeyIndex(keys=(), offsets=(0,)).overlap(key_range) == (0, 0)


def test_a_range_before_all_keys_fetches_nothing() -> None:
    blob = make_ordered_blob([(f"key{n}", n) for n in range(100)], frame_rows=10)
    key_range = KeyRange(low=encode_key(0), high=encode_key("a"))
    assert footer_of(blob).range_bytes(key_range) == 0


def test_a_range_is_read_from_the_frames_that_hold_it() -> None:
    blob = make_ordered_blob([(n, n) for n in range(1000)], frame_rows=10)
    fetched: list[tuple[int, int]] = []

    def fetch(start: int, end: int) -> bytes:
        fetched.append((start, end))
        return blob.data[start:end]

    footer = footer_of(blob)
    key_range = KeyRange(low=encode_key(505), high=encode_key(515))
    assert records_in(list(read_range(footer, key_range, fetch, clip_frame))) == [(n, n) for n in range(505, 515)]
    index = footer.ordered()
    assert fetched == [(index.offsets[50], index.offsets[52])]
    assert footer.range_bytes(key_range) == index.offsets[52] - index.offsets[50]


@pytest.mark.parametrize("extra", [-1, 0, 1], ids=["below the cut", "at the cut", "beyond the cut"])
def test_keys_longer_than_what_is_kept_of_them_stay_whole(extra: int) -> None:
    start = "k" * (MAX_CUT_BYTES + extra - 1)
    records = [(f"{start}{letter}", letter) for letter in "abcdef" for _ in range(3)]
    blob = make_ordered_blob(records, frame_rows=2)
    ranges = sorted({sample.key for sample in blob.summary.key_samples})
    parts = [records_in(frames_in(blob, KeyRange.of_partition(ranges, r))) for r in range(len(ranges) + 1)]
    assert [record for part in parts for record in part] == records
    assert all(len(key) <= MAX_CUT_BYTES for key in ranges)
    assert all({key for key, _ in left}.isdisjoint(key for key, _ in right) for left, right in pairwise(parts))


def test_a_key_in_many_frames_is_in_one_range() -> None:
    records = [("a", 1), *[("b", n) for n in range(50)], ("c", 2)]
    blob = make_ordered_blob(records, frame_rows=4)
    ranges = [encode_key("b"), encode_key("c")]
    parts = [records_in(frames_in(blob, KeyRange.of_partition(ranges, number))) for number in range(3)]
    assert parts == [records[:1], records[1:-1], records[-1:]]


@pytest.mark.parametrize("frames", [MAX_INDEX_ENTRIES, MAX_INDEX_ENTRIES + 1, 2 * MAX_INDEX_ENTRIES + 3])
def test_the_index_keeps_every_kth_frame_when_there_are_many(frames: int) -> None:
    blob = make_ordered_blob([(n, None) for n in range(frames)], frame_rows=1)
    index = footer_of(blob).ordered()
    assert MAX_INDEX_ENTRIES // 2 <= len(index.keys) <= MAX_INDEX_ENTRIES
    k = next(k for k in (1, 2, 4) if frames <= k * MAX_INDEX_ENTRIES)
    assert list(index.keys) == [encode_key(n) for n in range(0, frames, k)]
    key_range = KeyRange(low=encode_key(1001), high=encode_key(2003))
    assert [key for key, _ in records_in(frames_in(blob, key_range))] == list(range(1001, 2003))


def test_no_changed_byte_of_an_ordered_blob_goes_unseen() -> None:
    blob = make_ordered_blob([(n, "value") for n in range(12)], frame_rows=4)
    for at in range(len(blob.data)):
        changed = bytearray(blob.data)
        changed[at] ^= 1 << at % 8
        with pytest.raises(CorruptBlobError):
            frames_in(Blob(data=bytes(changed), summary=blob.summary), KeyRange())


def test_a_blob_in_total_order_is_one_segment() -> None:
    blob = make_ordered_blob([(n, "value") for n in range(12)], frame_rows=4)
    assert footer_of(blob).offsets == (0, blob.summary.footer_offset)
    assert footer_of(blob).ordered().offsets[-1] == blob.summary.footer_offset


def test_a_blob_without_an_index_has_no_ranges() -> None:
    blob = make_blob(make_frames([("a", 1)]), buckets=1)
    with pytest.raises(CorruptBlobError, match="no index"):
        list(read_range(footer_of(blob), KeyRange(), fetch_from(blob), clip_frame))


def test_total_order_is_of_one_bucket() -> None:
    with pytest.raises(ValueError, match="one bucket"):
        BlobWriter(bytearray().extend, buckets=2, sampler=KeySampler())


@given(st.lists(st.binary(max_size=5), max_size=20))
def test_an_index_comes_back(keys: list[bytes]) -> None:
    index = KeyIndex(keys=tuple(keys), offsets=tuple(range(0, 10 * len(keys) + 1, 10)))
    assert KeyIndex.decode(memoryview(index.encode()), len(keys)) == index


@given(st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=300)), max_size=40))
def test_samples_ascend_and_account_for_every_byte(frames: list[tuple[int, bytes]]) -> None:
    sampler = KeySampler()
    frames = sorted(frames, key=lambda frame: frame[1])
    for stored_bytes, key in frames:
        sampler.add(stored_bytes, [key])
    samples = sampler.samples()
    assert sum(sample.size_bytes for sample in samples) == sum(stored_bytes for stored_bytes, _ in frames)
    assert [sample.key for sample in samples] == sorted({key[:MAX_CUT_BYTES] for _, key in frames})


def test_a_frame_gives_samples_at_equal_distances_of_its_bytes() -> None:
    sampler = KeySampler()
    sampler.add(1000, [b"a", b"b", b"c", b"d"], [0, 50, 20, 20])
    found = [(sample.key, sample.size_bytes) for sample in sampler.samples()]
    assert found == [(b"a", 10), (b"b", 543), (b"c", 223), (b"d", 224)]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=2000), st.integers(4, 300))
def test_thinning_keeps_the_limit_and_the_bytes(sizes: list[int], limit: int) -> None:
    samples = [KeySample(number.to_bytes(2, "big"), size) for number, size in enumerate(sizes)]
    kept = thin(samples, limit)
    assert len(kept) <= limit
    assert sum(sample.size_bytes for sample in kept) == sum(sizes)
    assert kept == sorted(kept, key=lambda sample: sample.key)


def test_a_heavy_key_keeps_its_own_sample() -> None:
    samples = [KeySample(number.to_bytes(2, "big"), 50_000 if number == 777 else 10) for number in range(2000)]
    kept = {sample.key: sample.size_bytes for sample in thin(samples, MAX_SAMPLES)}
    step = (50_000 + 1999 * 10) / MAX_SAMPLES
    assert abs(kept[(777).to_bytes(2, "big")] - 50_000) <= step


def test_samples_of_tuples_are_cut_after_their_first_elements() -> None:
    blob = make_ordered_blob([((n // 10, n % 10), n) for n in range(100)], frame_rows=10, key_elements=1)
    assert [sample.key for sample in blob.summary.key_samples] == [encode_key((n,))[:-1] for n in range(10)]


@pytest.mark.parametrize("limit", [8, 16, 100])
@pytest.mark.parametrize("fewer", [1, 2, 3, 4])
def test_thinning_keeps_to_the_limit_where_heavy_keys_part_light_ones(limit: int, fewer: int) -> None:
    sizes = [1, 10_000] * (limit - fewer)
    samples = [KeySample(number.to_bytes(2, "big"), size) for number, size in enumerate(sizes)]
    thinned = thin(samples, limit)
    assert len(thinned) <= limit
    assert sum(sample.size_bytes for sample in thinned) == sum(sizes)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300), st.integers(4, 40))
def test_thinning_keeps_to_the_limit(sizes: list[int], limit: int) -> None:
    samples = [KeySample(number.to_bytes(2, "big"), size) for number, size in enumerate(sizes)]
    thinned = thin(samples, limit)
    assert len(thinned) <= limit
    assert sum(sample.size_bytes for sample in thinned) == sum(sizes)
