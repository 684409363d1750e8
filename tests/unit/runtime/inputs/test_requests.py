"""What a reader asks of the store for its piece: chunks of one size, of the version that was planned, and no more."""

from collections.abc import Iterator
from typing import Any

import pytest

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Piece
from podreduce.inputs import RecordBlock, blocks, pairs, read_records
from podreduce.storage import ObjectStore, open_store
from tests.support.pairs_oracle import write_pairs
from tests.support.task_runs import TaskRun

STORE = open_store("memory://requests/")
OBJECTS = {
    "Text": b"".join(b"line %03d\n" % number for number in range(200)),
    "Pairs": b"".join(write_pairs([(f"k{number:03}", number)]) for number in range(40)),
}
EACH_FORMAT = pytest.mark.parametrize("input_format", OBJECTS)


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The ranges of bytes that were asked for."""
    seen: list[tuple[int, int]] = []
    get_range = ObjectStore.get_range

    def watch(self: ObjectStore, key: str, start: int, end: int, **more: Any) -> bytes:
        seen.append((start, end))
        return get_range(self, key, start, end, **more)

    monkeypatch.setattr(ObjectStore, "get_range", watch)
    return seen


def read(input_format: str, start: int, end: int, etag: str | None = None) -> Iterator[RecordBlock]:
    data = OBJECTS[input_format]
    plan = TaskRun(plan_changes={"input_format": input_format}).plan
    piece = Piece(uri=STORE.uri_of("a"), start=start, end=end, object_bytes=len(data), etag=etag)
    return read_records(plan, STORE, "a", piece, block_bytes=1)


@EACH_FORMAT
def test_a_piece_is_read_in_chunks_and_what_completes_it_in_small_ranges(
    monkeypatch: pytest.MonkeyPatch, requested: list[tuple[int, int]], input_format: str
) -> None:
    for module in (blocks, pairs):
        monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    monkeypatch.setattr(blocks, "TAIL_BYTES", 10)
    STORE.put("a", OBJECTS[input_format])
    assert list(read(input_format, 0, 501))
    whole = [(start, start + 100) for start in range(0, 500, 100)]
    assert sorted(requested)[:7] == [*whole, (500, 501), (501, 511)]


@EACH_FORMAT
@pytest.mark.parametrize("place", [0, 7])
def test_nothing_is_read_for_an_empty_piece(requested: list[tuple[int, int]], input_format: str, place: int) -> None:
    STORE.put("a", b"neither text nor pairs")
    assert list(read(input_format, place, place)) == []
    assert requested == []


@EACH_FORMAT
def test_an_object_that_changes_while_it_is_read_is_refused(input_format: str) -> None:
    STORE.put("a", OBJECTS[input_format])
    etag = STORE.head("a").etag
    begun = read(input_format, 0, 501, etag)
    assert next(begun).values
    STORE.put("a", OBJECTS[input_format])
    with pytest.raises(InputError, match="changed after planning"):
        list(begun)
    with pytest.raises(InputError, match="changed after planning"):
        list(read(input_format, 0, len(OBJECTS[input_format]), etag))
