import gzip
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Piece
from podreduce.inputs import blocks, is_splittable, read_records
from podreduce.inputs.blocks import read_blocks
from podreduce.inputs.text import text_records
from podreduce.storage import ObjectStore, open_store
from tests.support.task_runs import TaskRun

TEXTS = st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"bc", "é".encode(), b"", b"x" * 40])).map(b"".join)


def read_pieces(data: bytes, cuts: list[int], chunk_bytes: int = 7) -> list[tuple[int, bytes]]:
    """Every line of every piece, with its offset."""

    def read_range(start: int, end: int) -> Iterator[bytes]:
        return (data[low : min(low + chunk_bytes, end)] for low in range(start, end, chunk_bytes))

    lines = []
    for start, end in itertools.pairwise([0, *cuts, len(data)]):
        for block in blocks.read_lines(read_range, read_range, start, end, len(data)):
            offset = block.offset
            for line in block.data.split(b"\n")[: None if block.data[-1:] != b"\n" else -1]:
                lines.append((offset, line))
                offset += len(line) + 1
    return lines


def lines_of(data: bytes) -> list[tuple[int, bytes]]:
    lines = data.split(b"\n")
    offsets = itertools.accumulate((len(line) + 1 for line in lines), initial=0)
    return list(zip(offsets, lines if lines[-1] else lines[:-1], strict=False))


@given(data=TEXTS, places=st.lists(st.floats(0, 1), max_size=6), chunk_bytes=st.integers(1, 50))
def test_every_line_is_read_exactly_once_wherever_the_cuts_are(
    data: bytes, places: list[float], chunk_bytes: int
) -> None:
    cuts = sorted(round(place * len(data)) for place in places)
    assert read_pieces(data, cuts, chunk_bytes) == lines_of(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"a",
        b"a\n",
        b"a\nb",
        b"a\r\nb\r\n",
        b"\r\n\r\n",
        b"long " * 5,
        b"x\n" + b"y" * 30 + b"\nz",
    ],
)
def test_every_line_is_read_exactly_once_with_every_pair_of_cuts(data: bytes) -> None:
    for cuts in itertools.combinations_with_replacement(range(len(data) + 1), 2):
        assert read_pieces(data, list(cuts), 3) == lines_of(data)


@given(data=TEXTS, places=st.lists(st.floats(0, 1), max_size=3))
def test_stored_bytes_add_up_to_the_object(data: bytes, places: list[float]) -> None:
    cuts = sorted(round(place * len(data)) for place in places)
    pieces = itertools.pairwise([0, *cuts, len(data)])

    def read_range(start: int, end: int) -> Iterator[bytes]:
        return iter([data[start:end]] if start < end else [])

    taken = [
        block.stored_bytes
        for start, end in pieces
        for block in blocks.read_lines(read_range, read_range, start, end, len(data))
    ]
    assert sum(taken) == len(data)


def test_blocks_are_small_whole_lines() -> None:
    data = b"".join(b"%d\n" % number for number in range(1000))
    found = list(blocks.whole_lines([data[:777], data[777:]], 100))
    assert b"".join(found) == data
    assert all(block.endswith(b"\n") and len(block) <= 100 for block in found)
    assert len(found) <= len(data) / 96 + 2  # each is as full as lines of up to four bytes allow, but for two


def test_what_ends_with_a_newline_needs_nothing_after_it() -> None:
    chunks = [b"a\n", b""]
    assert list(blocks.finish_line(chunks, lambda: [b"b\n"])) == chunks
    assert list(blocks.finish_line([b"a", b""], lambda: [b"", b"b", b"c\nd\n"])) == [b"a", b"", b"", b"b", b"c\n"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(5, 5, []), (5, 15, [(5, 15)]), (5, 190, [(5, 15), (15, 35), (35, 75), (75, 125), (125, 175), (175, 190)])],
)
def test_ranges_grow_to_a_chunk(
    monkeypatch: pytest.MonkeyPatch, start: int, end: int, expected: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr(blocks, "TAIL_BYTES", 10)
    monkeypatch.setattr(blocks, "CHUNK_BYTES", 50)
    assert list(blocks.growing_ranges(start, end)) == expected


@pytest.mark.parametrize(
    ("uri", "splittable"), [("s3://b/a.txt", True), ("s3://b/a.txt.gz", False), ("A.GZ", False), ("s3://b/gz", True)]
)
def test_compressed_objects_are_not_splittable(uri: str, splittable: bool) -> None:
    assert is_splittable(uri) is splittable


@pytest.fixture
def store() -> ObjectStore:
    store = open_store("memory://blocks/")
    store.delete_prefix("")
    return store


def put_piece(store: ObjectStore, key: str, data: bytes, start: int = 0, end: int | None = None) -> Piece:
    store.put(key, data)
    return Piece(
        uri=store.uri_of(key),
        start=start,
        end=len(data) if end is None else end,
        object_bytes=len(data),
        etag=store.head(key).etag,
    )


def test_a_block_has_so_many_bytes_at_most(store: ObjectStore) -> None:
    data = b"a\nb\nc\n"
    found = [list(read_blocks(store, "a", put_piece(store, "a", data), block_bytes=size)) for size in (1, 4, 6)]
    assert [len(each) for each in found] == [3, 2, 1]


def test_a_line_longer_than_every_chunk_is_one_record(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(blocks, "TAIL_BYTES", 10)
    line = b"x" * 12_345
    data = b"a\n" + line + b"\nb\n"
    first = list(read_blocks(store, "a", put_piece(store, "a", data, 0, 5)))
    second = list(read_blocks(store, "a", put_piece(store, "a", data, 5, len(data))))
    assert b"".join(block.data for block in first) == b"a\n" + line + b"\n"
    assert [(block.offset, block.data) for block in second] == [(12_348, b"b\n")]


@pytest.mark.parametrize(
    "members",
    [[b"a\nb\n"], [b"a\n", b"b\n"], [b"no newline"], [b""], [b"", b"a\n", b""], [b"line " * 300_000]],
    ids=lambda members: f"{len(members)} of {sum(map(len, members))}",
)
@pytest.mark.parametrize("padding", [b"", bytes(10)], ids=["", "padded"])
def test_gzip_of_any_members_is_their_lines(store: ObjectStore, members: list[bytes], padding: bytes) -> None:
    stored = b"".join(map(gzip.compress, members)) + padding
    found = list(read_blocks(store, "a.gz", put_piece(store, "a.gz", stored)))
    assert b"".join(block.data for block in found) == b"".join(members)
    assert sum(block.stored_bytes for block in found) == (len(stored) if found else 0)
    assert [block.offset for block in found] == [
        sum(len(block.data) for block in found[:number]) for number in range(len(found))
    ]


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (gzip.compress(b"line\n" * 1000)[:-1], "ends early"),
        (gzip.compress(b"line\n" * 1000)[:20], "ends early"),
        (b"plain text\n", "not a valid gzip file"),
        (gzip.compress(b"line\n") + b"garbage", "not a valid gzip file"),
        (gzip.compress(b"line\n")[:-6] + b"xx" + gzip.compress(b"line\n")[-4:], "not a valid gzip file"),
    ],
    ids=["without its last byte", "cut short", "no gzip", "something after it", "wrong checksum"],
)
def test_a_broken_gzip_object_is_named(store: ObjectStore, stored: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"memory://blocks/a.gz: .*{message}"):
        list(read_blocks(store, "a.gz", put_piece(store, "a.gz", stored)))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_an_object_that_changed_after_planning_is_refused(store: ObjectStore, ending: str) -> None:
    piece = put_piece(store, f"a{ending}", gzip.compress(b"old\n"))
    store.put(f"a{ending}", gzip.compress(b"new\n"))
    with pytest.raises(InputError, match="changed after planning"):
        list(read_blocks(store, f"a{ending}", piece))


def test_an_object_that_has_gone_is_named(store: ObjectStore) -> None:
    piece = put_piece(store, "a", b"old\n")
    store.delete("a")
    with pytest.raises(InputError, match="memory://blocks/a: the object is gone"):
        list(read_blocks(store, "a", piece))


def read_text(data: bytes, errors: str = "Strict", offset: int = 0) -> list[tuple[int, str]]:
    block = blocks.Block(offset=offset, data=data, stored_bytes=len(data))
    records = text_records(block, "s3://b/a", errors="replace" if errors == "Replace" else "strict")
    found = list(zip(records.keys(), records.values, strict=True))
    assert records.to_arrow().to_pylist() == [{"key": key, "value": value} for key, value in found]
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\nb\n", [(0, "a"), (2, "b")]),
        (b"", []),
        (b"a\r\nb\r\n", [(0, "a"), (3, "b")]),
        (b"a\r\nb\n", [(0, "a"), (3, "b")]),
        (b"\n\r\n\n", [(0, ""), (1, ""), (3, "")]),
        (b"a\rb\r\r\n", [(0, "a\rb\r")]),
        (b"last", [(0, "last")]),
        (b"a\nlast\r", [(0, "a"), (2, "last\r")]),
        ("é\nü\x85\u2028\x0bz\n".encode(), [(0, "é"), (3, "ü\x85\u2028\x0bz")]),
        (b"\xef\xbb\xbfa\n", [(0, "\ufeffa")]),
    ],
)
def test_a_record_is_a_line_without_its_end(data: bytes, expected: list[tuple[int, str]]) -> None:
    assert read_text(data) == expected


def test_offsets_count_from_the_start_of_the_object() -> None:
    assert read_text("é\nb\n".encode(), offset=1000) == [(1000, "é"), (1003, "b")]


@pytest.mark.parametrize(("data", "offset"), [(b"ok\nab\xffc\n", 105), (b"\xe9", 100), (b"\xed\xa0\x80\n", 100)])
def test_bad_bytes_are_named_by_object_and_offset(data: bytes, offset: int) -> None:
    with pytest.raises(InputError, match=f"s3://b/a: byte {offset} is not UTF-8"):
        read_text(data, offset=100)


def test_bad_bytes_are_replaced_where_the_job_says_so() -> None:
    assert read_text(b"a\xff\nb\n", "Replace") == [(0, "a\ufffd"), (3, "b")]


def test_a_record_is_shown_as_its_value_unless_it_has_none() -> None:
    records = text_records(blocks.Block(offset=0, data=b"a\nb\n", stored_bytes=4), "s3://b/a", errors="strict")
    assert records.shown(1) == "b"
    assert replace(records, show="row {}".format).shown(1) == "row 1"


def test_an_unknown_format_is_refused(store: ObjectStore) -> None:
    plan = TaskRun(plan_changes={"input_format": "Runes"}).plan
    with pytest.raises(InputError, match="'Runes': this version reads Text, JSONLines"):
        read_records(plan, store, "a", put_piece(store, "a", b""))
