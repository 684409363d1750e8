"""Side inputs: what every task may read in full, fetched once on a machine."""

import errno
import io
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.errors import InputError, ProgramInvalidError, ScratchFullError
from podreduce.contract.plan import InputColumn, Piece, SideInput, plan_reading
from podreduce.contract.uris import split_object_uri
from podreduce.inputs import read_records
from podreduce.storage import ObjectStore, open_store
from podreduce.storage.connect import MEMORY_STORES
from podreduce.task import side_inputs
from podreduce.task.attempt import open_attempt
from podreduce.task.side_inputs import SideInputs, holding
from tests.support.builders.tasks import map_task
from tests.support.pairs_oracle import write_pairs
from tests.support.searching import tries
from tests.support.side_inputs import put_side_input
from tests.support.task_runs import TaskRun

NUMBERS = itertools.count()


@pytest.fixture
def place() -> Iterator[str]:
    name = f"side-{next(NUMBERS)}"
    yield f"memory://{name}/"
    MEMORY_STORES.pop(name, None)


class Reading:
    """The side inputs of a task, and the stores that were opened to fetch them."""

    def __init__(self, directory: Path, *inputs: SideInput) -> None:
        self.fetched: list[str] = []
        self.plan = TaskRun(plan_changes={"side_inputs": inputs}).plan
        self.directory = directory
        self.side = SideInputs(self.plan, directory, open_input=self.open, beat=lambda: None)

    def open(self, uri: str) -> ObjectStore:
        self.fetched.append(uri)
        return open_store(uri)

    def again(self) -> "Reading":
        """Another task of the same machine."""
        return Reading(self.directory, *self.plan.side_inputs)

    def as_an_input(self) -> Iterator[Any]:
        """The blocks of the first side input, as a map reads an input."""
        found = self.plan.side_inputs[0]
        for each in found.objects:
            store, key = split_object_uri(each.uri)
            piece = Piece(uri=each.uri, start=0, end=each.bytes, object_bytes=each.bytes, etag=each.etag)
            yield from read_records(plan_reading(self.plan, found), open_store(store), key, piece)


def parquet(columns: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


NUMBERED = {"k": [str(number) for number in range(50)], "v": list(range(50))}
LINES = "".join(f'{{"k": "{number}", "v": {number}}}\n' for number in range(50)).encode()
FORMATS: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {
    "Text": ({}, {"a": b"one\ntwo\n", "b": b"", "c/d.txt": b"three"}),
    "CSV": ({}, {"a.csv": b"k,v\n1,2\n", "b.csv": b"k,v\n3,4\n"}),
    "JSONLines": (
        {"schema": (InputColumn(name="k", type="string"), InputColumn(name="v", type="int64"))},
        {"a.jsonl": LINES, "b.jsonl": LINES},
    ),
    "Parquet": ({"columns": ("v", "k")}, {"a.parquet": parquet(NUMBERED), "b.parquet": parquet(NUMBERED)}),
    "FixedLength": ({"record_length": 3, "key_length": 1}, {"a": b"abcdef"}),
    "WholeObject": ({}, {"model.bin": b"\0\xff" * 1000, "empty": b""}),
    "Pairs": ({}, {"a.pairs": write_pairs([(number, (number, "x")) for number in range(50)], frame_records=7)}),
}
"""By format, options and objects."""


@pytest.mark.parametrize("name", FORMATS)
def test_a_side_input_of_every_format_is_read_as_an_input_is(name: str, place: str, tmp_path: Path) -> None:
    options, objects = FORMATS[name]
    reading = Reading(tmp_path, put_side_input(place, "s", objects, input_format=name, **options))
    blocks = list(reading.as_an_input())
    wanted = [pair for block in blocks for pair in zip(block.keys(), block.values, strict=True)]
    assert list(reading.side.records("s")) == wanted
    assert list(reading.side.records("s")) == wanted
    batches = [pa.Table.from_batches([block.to_arrow()]) for block in blocks]
    table = pa.concat_tables(batches, promote_options="default")  # a block without rows has no types
    assert reading.side.table("s").equals(table)
    assert [path.read_bytes() for path in reading.side.files("s")] == list(objects.values())


def test_files_keep_their_names_below_what_they_have_in_common(place: str, tmp_path: Path) -> None:
    objects = {"models/bert/config.json": b"{}", "models/bert/vocabulary/en.txt": b"a\n"}
    files = Reading(tmp_path, put_side_input(place, "bert", objects)).side.files("bert")
    assert [path.relative_to(tmp_path / "bert" / "files").as_posix() for path in files] == [
        "config.json",
        "vocabulary/en.txt",
    ]
    assert all(path.stat().st_mode & 0o222 == 0 for path in files)


def test_what_one_task_has_fetched_no_other_task_of_the_machine_fetches(place: str, tmp_path: Path) -> None:
    first = Reading(
        tmp_path, put_side_input(place, "s", {"a": b"1\n", "b": b"2\n"}, input_format="CSV", csv_header=False)
    )
    wanted = list(first.side.records("s"))
    assert len(first.fetched) == 2
    table = first.side.table("s")
    for _ in range(3):
        other = first.again()
        assert list(other.side.records("s")) == wanted
        assert other.side.table("s").equals(table)
        assert other.side.files("s") == first.side.files("s")
        assert other.fetched == []


def test_a_side_input_that_no_task_reads_is_not_fetched(place: str, tmp_path: Path) -> None:
    inputs = [put_side_input(f"{place}{name}/", name, {"a": b"1\n"}) for name in ("one", "other")]
    reading = Reading(tmp_path, *inputs)
    list(reading.side.records("one"))
    assert reading.fetched == [place]
    assert {path.name for path in tmp_path.iterdir()} == {"one", "one.lock"}


def test_tasks_that_start_at_the_same_time_fetch_once(place: str, tmp_path: Path) -> None:
    first = Reading(tmp_path, put_side_input(place, "s", {str(number): b"x\n" * 1000 for number in range(20)}))
    tasks = [first, *(first.again() for _ in range(7))]
    sizes: list[int] = []
    threads = [threading.Thread(target=lambda task=task: sizes.append(task.side.table("s").num_rows)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [20_000] * 8
    assert sum(len(task.fetched) for task in tasks) == 20


class DyingError(BaseException):
    """What ends a task amid a fetch."""


@pytest.mark.parametrize("what", ["objects", "table"])
def test_what_a_killed_task_leaves_is_not_taken_for_complete(what: str, place: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, put_side_input(place, "s", {"a": b"1\n2\n", "b": b"3\n"}))
    if what == "table":
        reading.side.files("s")
    beats = itertools.count()

    def die() -> None:
        if next(beats):
            raise DyingError

    killed = SideInputs(reading.plan, tmp_path, open_input=open_store, beat=die)
    with pytest.raises(DyingError):
        killed.table("s")
    assert any(path.name.endswith(".building") for path in tmp_path.rglob("*"))
    assert [value for _, value in reading.again().side.records("s")] == ["1", "2", "3"]
    assert reading.again().side.table("s").num_rows == 3


CHANGES = pytest.mark.parametrize(
    ("data", "changed", "message"),
    [
        (b"one\n", b"two\n", "side input centres: .*a: the object changed after planning; start a new run"),
        (b"", b"two\n", "side input centres: .*a: the object changed after planning; start a new run"),
        (b"one\n", None, "side input centres: .*a: the object is gone since the plan was made; start a new run"),
        (b"", None, "side input centres: .*a: the object is gone since the plan was made; start a new run"),
    ],
    ids=["other text", "no longer empty", "gone", "empty, and gone"],
)


@CHANGES
def test_an_object_that_changed_since_the_plan_is_refused(
    data: bytes, changed: bytes | None, message: str, place: str, tmp_path: Path
) -> None:
    reading = Reading(tmp_path, put_side_input(place, "centres", {"a": data}))
    change(place, changed)
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            list(reading.side.records("centres"))


@CHANGES
def test_a_file_that_changed_since_the_plan_becomes_no_table(
    data: bytes, changed: bytes | None, message: str, tmp_path: Path
) -> None:
    place = f"file://{tmp_path}/centres/"
    reading = Reading(tmp_path / "side", put_side_input(place, "centres", {"a": data, "b": b"three\n"}))
    change(place, changed)
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            reading.side.table("centres")


def change(place: str, changed: bytes | None) -> None:
    """Write the object `a` again, or delete it."""
    store = open_store(place)
    if changed is None:
        store.delete("a")
    else:
        store.put("a", changed)


@pytest.mark.parametrize("name", FORMATS)
def test_a_changed_file_of_any_format_becomes_no_table(name: str, tmp_path: Path) -> None:
    options, objects = FORMATS[name]
    place = f"file://{tmp_path}/centres/"
    reading = Reading(tmp_path / "side", put_side_input(place, "s", objects, input_format=name, **options))
    first = next(iter(objects))
    open_store(place).put(first, objects[first])  # the same bytes, but another version
    with pytest.raises(InputError, match=f"side input s: .*{first}: the object changed after planning"):
        reading.side.table("s")


@pytest.mark.parametrize("name", FORMATS)
def test_a_table_of_files_is_made_of_those_and_equals_that_of_fetched_objects(
    name: str, place: str, tmp_path: Path
) -> None:
    options, objects = FORMATS[name]
    made = []
    for at in (place, f"file://{tmp_path}/centres/"):
        directory = tmp_path / at[:4]
        side_input = put_side_input(at, "centres", objects, input_format=name, **options)
        table = Reading(directory, side_input).side.table("centres")
        made.append(table.select(["value"]) if name == "WholeObject" else table)  # its keys are the objects' URIs
        assert (directory / "centres").exists() is (at == place)
    assert made[0].equals(made[1])


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1])
def test_who_waits_for_another_task_waits_little_longer_than_it_must(
    seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def sleep(slept: float) -> None:
        now[0] += slept

    monkeypatch.setattr(side_inputs.time, "sleep", sleep)
    monkeypatch.setattr(side_inputs.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(side_inputs, "try_lock", lambda _descriptor: now[0] >= seconds)
    with holding(tmp_path / "lock", lambda: None):
        assert seconds <= now[0] <= seconds * 1.125 + side_inputs.LEAST_WAIT_SECONDS


@pytest.mark.parametrize("known", [(), ("centres", "stop-words")])
def test_an_unknown_name_lists_those_that_there_are(known: tuple[str, ...], place: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, *(put_side_input(f"{place}{name}/", name, {"a": b""}) for name in known))
    has = f"it has {', '.join(known)}" if known else "it has none: add spec.sideInputs"
    for read in (reading.side.records, reading.side.table, reading.side.files):
        with pytest.raises(ProgramInvalidError, match=f"the job has no side input 'centers'; {has}"):
            read("centers")


def test_a_full_volume_is_named_with_the_side_input(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(tmp_path, put_side_input(place, "model", {"a": b"one\n"}))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "symlink_to", full)
    with pytest.raises(ScratchFullError, match="/model: no space for this side input"):
        reading.side.files("model")


VALUES = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.integers(-5, 5), st.just(0.5)
)


@given(frames=st.lists(st.lists(VALUES, min_size=1, max_size=3), max_size=4))
@settings(max_examples=tries(60))
def test_a_table_of_frames_with_other_types_has_every_value_or_says_that_it_cannot(
    frames: list[list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whole numbers and others may be in one column, as long as none of them changes."""
    data = b"".join(write_pairs([(number, value) for value in values]) for number, values in enumerate(frames))
    name = f"side-{next(NUMBERS)}"
    reading = Reading(
        tmp_path_factory.mktemp("side"), put_side_input(f"memory://{name}/", "s", {"a": data}, input_format="Pairs")
    )
    wanted = [value for values in frames for value in values]
    try:
        table = reading.side.table("s")
    except InputError:
        kinds = {float if isinstance(value, float) else abs(value) > 2**53 for value in wanted if value is not None}
        assert {float, True} <= kinds  # whole numbers that a float does not hold
        return
    assert (table["value"].to_pylist() if table.num_columns else []) == wanted


def test_a_record_that_cannot_be_decoded_is_told_with_its_side_input(place: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, put_side_input(place, "words", {"a": b"one\n\xff\n"}))
    with pytest.raises(InputError, match=r"^side input words: memory://.*/a: .*byte 4 is not UTF-8"):
        list(reading.side.records("words"))
    with pytest.raises(InputError, match=r"^side input words: memory://.*/a: .*byte 4 is not UTF-8"):
        reading.side.table("words")


def test_objects_with_other_columns_become_one_table(place: str, tmp_path: Path) -> None:
    objects = {"a.csv": b"id,name\n1,x\n", "b.csv": b"name,id,more\ny,2,z\n"}
    table = Reading(tmp_path, put_side_input(place, "s", objects, input_format="CSV")).side.table("s")
    assert table.to_pylist() == [{"id": "1", "name": "x", "more": None}, {"id": "2", "name": "y", "more": "z"}]


def test_columns_that_no_type_holds_are_told(place: str, tmp_path: Path) -> None:
    objects = {"a.parquet": parquet({"v": [1]}), "b.parquet": parquet({"v": ["x"]})}
    reading = Reading(tmp_path, put_side_input(place, "prices", objects, input_format="Parquet"))
    with pytest.raises(InputError, match="side input prices: its objects have columns that do not fit together"):
        reading.side.table("prices")


def test_a_mapped_table_counts_for_the_memory_before_its_pages_are_read(place: str, tmp_path: Path) -> None:
    size = 16 << 20
    reading = Reading(tmp_path, put_side_input(place, "s", {"a": b"x" * size}, input_format="WholeObject"))
    assert reading.side.unread_bytes() == 0
    reading.side.table("s")
    task = reading.again().side
    table = task.table("s")
    before = task.unread_bytes()
    assert size / 2 < before <= size + (1 << 20)
    assert table["value"][0].as_py() == b"x" * size
    assert task.unread_bytes() < before / 2


COUNTED = """
class Job:
    def setup(self, context):
        self.context = context
        self.words = dict(context.side_input("words"))
    def map_func(self, key, value):
        for word in value.split():
            yield self.words[word], 1
    def reduce_func(self, key, values):
        yield key + str(len(self.words)), sum(values)
"""
WORDS = {"words.pairs": write_pairs([("a", "A"), ("b", "B")])}


def test_maps_and_reduces_read_it(place: str, tmp_path: Path) -> None:
    words = put_side_input(place, "words", WORDS, input_format="Pairs")
    run = TaskRun(
        source=COUNTED,
        objects={"x": b"a b\na\n"},
        partitions=1,
        scratch_directory=str(tmp_path),
        plan_changes={"side_inputs": (words,)},
    )
    assert run.output_lines() == ["A2\t2", "B2\t1"]


LATE = """
class Job:
    def setup(self, context):
        self.context = context
    def map_func(self, key, value):
        list(self.context.side_input({name!r}))
        yield value, 1
"""


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [("words", InputError, "side input words: "), ("wordz", ProgramInvalidError, "the job has no side input 'wordz'")],
)
def test_a_side_input_that_cannot_be_read_is_no_bad_record(
    name: str, error: type[Exception], message: str, place: str, tmp_path: Path
) -> None:
    words = put_side_input(place, "words", WORDS, input_format="Pairs")
    open_store(place).put("words.pairs", b"other")
    run = TaskRun(
        source=LATE.format(name=name),
        objects={"x": b"a\n"},
        scratch_directory=str(tmp_path),
        plan_changes={"side_inputs": (words,), "bad_records": "Skip"},
    )
    with pytest.raises(error, match=message):
        run.map(0)


def test_the_budget_leaves_room_for_tables_that_setup_maps(place: str, tmp_path: Path) -> None:
    size = 16 << 20
    side = put_side_input(place, "s", {"a": b"x" * size}, input_format="WholeObject")
    run = TaskRun(scratch_directory=str(tmp_path), memory_bytes=4 << 30, plan_changes={"side_inputs": (side,)})
    open_attempt(run.environment(map_task(0)), run.settings).context.side_table("s")
    attempt = open_attempt(run.environment(map_task(0)), run.settings)
    without = attempt.budget_bytes()
    attempt.context.side_table("s")
    assert without - attempt.budget_bytes() > size / 2
