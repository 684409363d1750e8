import os
import socket
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from podreduce.storage import ObjectStore, open_store
from podreduce_operator.model.errors import ActionError
from podreduce_operator.planning.list_input import list_input
from podreduce_operator.planning.packed_input import InputObject

OUTPUT = "memory://elsewhere/out/"


@pytest.fixture
def store() -> ObjectStore:
    store = open_store(f"memory://{uuid.uuid4()}/")
    for key, data in {
        "books/b.txt": b"bb",
        "books/a.txt": b"a",
        "books/_SUCCESS": b"",
        "books/deep/c.gz": b"ccc",
        "booksellers.txt": b"no",
        "empty/e.txt": b"",
    }.items():
        store.put(key, data)
    return store


async def list_keys(store: ObjectStore, *names: str) -> list[str]:
    listed = await list_input([store.uri + name for name in names], open_store, output_uri=OUTPUT)
    return [each.uri.removeprefix(store.uri) for each in listed]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["books/b.txt"], ["books/b.txt"], id="object"),
        pytest.param(["books/"], ["books/a.txt", "books/b.txt", "books/deep/c.gz"], id="prefix-in-key-order"),
        pytest.param(["books/*"], ["books/a.txt", "books/b.txt"], id="glob"),
        pytest.param(["**/*.gz", "books/a.txt"], ["books/deep/c.gz", "books/a.txt"], id="in-the-order-of-the-uris"),
        pytest.param(["books/b.txt", "books/"], ["books/b.txt", "books/a.txt", "books/deep/c.gz"], id="each-once"),
        pytest.param(["books/_SUCCESS"], ["books/_SUCCESS"], id="hidden-but-named"),
        pytest.param(["empty/"], ["empty/e.txt"], id="only-empty-objects"),
    ],
)
async def test_the_objects_of_the_uris(store: ObjectStore, names: list[str], expected: list[str]) -> None:
    assert await list_keys(store, *names) == expected


async def test_objects_have_size_version_and_splittability(store: ObjectStore) -> None:
    plain, compressed = (store.head("books/b.txt"), store.head("books/deep/c.gz"))
    listed = await list_input([f"{store.uri}books/b.txt", f"{store.uri}**/*.gz"], open_store, output_uri=OUTPUT)
    assert list(listed) == [
        InputObject(uri=f"{store.uri}books/b.txt", size_bytes=2, etag=plain.etag),
        InputObject(uri=f"{store.uri}books/deep/c.gz", size_bytes=3, etag=compressed.etag, is_splittable=False),
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("books/z.txt", "books/z.txt: no such object: check spec.input.uris", id="object"),
        pytest.param("books", "no such object; did you mean .*books/[?]", id="prefix-without-slash"),
        pytest.param("none/", "no object there", id="prefix"),
        pytest.param("*.gz", "no object there", id="glob"),
        pytest.param("books/_*", "names start with _", id="only-hidden-names"),
    ],
)
async def test_a_uri_that_names_nothing_is_an_error(store: ObjectStore, name: str, hint: str) -> None:
    with pytest.raises(ActionError, match=hint) as refusal:
        await list_keys(store, "books/", name)
    assert (refusal.value.reason, refusal.value.permanent) == ("InputNotFound", True)


@pytest.mark.parametrize("output", ["books", "books/", "books/deep/"])
async def test_input_in_the_output_is_refused(store: ObjectStore, output: str) -> None:
    with pytest.raises(ActionError, match=r"choose another spec\.output\.uri") as refusal:
        await list_input([f"{store.uri}books/**"], open_store, output_uri=store.uri + output)
    assert refusal.value.reason == "InputInOutput"


async def test_input_beside_the_output_is_fine(store: ObjectStore) -> None:
    assert await list_input([f"{store.uri}booksellers.txt"], open_store, output_uri=f"{store.uri}books")


@pytest.mark.parametrize("name", ["books", "books/", "books/*.txt", "books/**", "b*/", "b*/a.txt", "[ab]ooks/?.txt"])
async def test_local_directories(tmp_path: Path, name: str) -> None:
    (tmp_path / "books").mkdir()
    for file in ("a.txt", ".hidden"):
        (tmp_path / "books" / file).write_text(file)
    listed = await list_input([f"file://{tmp_path}/{name}"], open_store, output_uri=OUTPUT)
    assert [each.uri for each in listed] == [f"file://{tmp_path}/books/a.txt"]


@pytest.mark.parametrize("name", ["old [1]", "old [1]/", "old [1]/what?.txt", "old [[]1]/*", "old ?1]/**"])
async def test_names_with_wildcards_in_them(tmp_path: Path, name: str) -> None:
    (tmp_path / "old [1]").mkdir()
    (tmp_path / "old [1]" / "what?.txt").write_text("a")
    listed = await list_input([f"file://{tmp_path}/{name}"], open_store, output_uri=OUTPUT)
    assert [each.uri for each in listed] == [f"file://{tmp_path}/old [1]/what?.txt"]


@pytest.mark.parametrize(
    ("pattern", "is_refused"),
    [
        pytest.param("", True, id="directory"),
        pytest.param("*", True, id="glob"),
        pytest.param("a*", False, id="glob-of-others"),
        pytest.param("deep/**", False, id="beside"),
    ],
)
async def test_files_that_no_key_can_name_are_not_left_out_in_silence(
    tmp_path: Path, pattern: str, is_refused: bool
) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.txt", "b#1", "deep/a.txt"):
        (tmp_path / name).write_text(name)
    uris = [f"file://{tmp_path}/{pattern}"]
    if not is_refused:
        assert await list_input(uris, open_store, output_uri=OUTPUT)
        return
    with pytest.raises(ActionError, match="b#1: rename them") as refusal:
        await list_input(uris, open_store, output_uri=OUTPUT)
    assert refusal.value.reason == "InputUnreadable"


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


SPECIAL: dict[str, tuple[Callable[[Path], object], str]] = {
    "named-pipe": (os.mkfifo, "a pipe"),
    "socket": (make_socket, "a socket"),
    "link-to-nothing": (lambda path: path.symlink_to("nothing"), "a broken link"),
    "link-to-itself": (lambda path: path.symlink_to(path), "a broken link"),
    "link-to-a-device": (lambda path: path.symlink_to("/dev/null"), "a device"),
    "link-to-a-pipe": (lambda path: (os.mkfifo(f"{path}.fifo"), path.symlink_to(f"{path}.fifo")), "a pipe"),
    "name-that-is-no-utf-8": (lambda path: Path(os.fsdecode(bytes(path) + b"\xff")).touch(), "rename"),
    "name-of-an-unfinished-upload": (lambda path: Path(f"{path}#7").touch(), "rename"),
    "name-with-a-control-character": (lambda path: Path(f"{path}\x1b").touch(), "rename"),
}


@pytest.mark.parametrize("name", ["d/", "d", "d/*", "d/**", "d/deep/", "d/deep/**", "d/deep/*"])
@pytest.mark.parametrize(("make", "why"), SPECIAL.values(), ids=SPECIAL)
async def test_what_is_no_regular_file_is_refused_at_any_depth_and_never_waited_for(
    tmp_path: Path, make: Callable[[Path], object], why: str, name: str
) -> None:
    (tmp_path / "d" / "deep").mkdir(parents=True)
    for file in ("d/a.txt", "d/deep/a.txt"):
        (tmp_path / file).write_text("one")
    make(tmp_path / "d" / "deep" / "odd")
    uri = f"file://{tmp_path}/{name}"
    if name == "d/*":  # it is not below this
        assert await list_input([uri], open_store, output_uri=OUTPUT)
        return
    with pytest.raises(ActionError, match=why) as refusal:
        await list_input([uri], open_store, output_uri=OUTPUT)
    assert (refusal.value.reason, refusal.value.permanent) == ("InputUnreadable", True)
    assert "odd" in str(refusal.value)


@pytest.mark.parametrize("make", [make for make, _ in SPECIAL.values()], ids=SPECIAL)
async def test_what_is_hidden_does_not_have_to_be_readable(tmp_path: Path, make: Callable[[Path], object]) -> None:
    (tmp_path / "_tmp").mkdir()
    (tmp_path / "a.txt").write_text("one")
    make(tmp_path / "_tmp" / "odd")
    listed = await list_input([f"file://{tmp_path}/"], open_store, output_uri=OUTPUT)
    assert [each.uri for each in listed] == [f"file://{tmp_path}/a.txt"]


async def test_a_pipe_that_is_named_itself_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading, writing = os.pipe()
    for path in (f"{tmp_path}/pipe", f"/dev/fd/{reading}", "/dev/zero"):
        with pytest.raises(ActionError, match=r"a (pipe|device), not a regular file.*copy") as refusal:
            await list_input([f"file://{path}"], open_store, output_uri=OUTPUT)
        assert refusal.value.reason == "InputUnreadable"
    os.close(reading)
    os.close(writing)


async def test_links_to_files_and_directories_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for file in ("d/a.txt", "elsewhere/b.txt", "c.txt"):
        (tmp_path / file).write_text("one")
    (tmp_path / "d" / "link.txt").symlink_to(tmp_path / "c.txt")
    (tmp_path / "d" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d")
    listed = await list_input([f"file://{tmp_path}/d/"], open_store, output_uri=OUTPUT)
    assert [each.uri.removeprefix(f"file://{tmp_path}/d/") for each in listed] == ["a.txt", "link.txt", "other/b.txt"]


LIST_AS_NOBODY = """
import asyncio, os, sys
from podreduce.storage import open_store
from podreduce_operator.planning.list_input import list_input
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(list_input([sys.argv[1]], open_store, output_uri="memory://elsewhere/out/"))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("name", ["d/", "d/**", "d"])
def test_a_directory_that_may_not_be_read_fails_the_listing(tmp_path: Path, name: str) -> None:
    locked = tmp_path / "d" / "locked"
    locked.mkdir(parents=True)
    (tmp_path / "d" / "a.txt").write_text("one")
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(directory.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH | stat.S_IRGRP | stat.S_IROTH)
    locked.chmod(0)
    command = [sys.executable, "-c", LIST_AS_NOBODY, f"file://{tmp_path}/{name}"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    locked.chmod(0o700)
    assert said.startswith("StorageDeniedError")
    assert "locked" in said
    assert "change the permissions" in said
