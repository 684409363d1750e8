"""A task's side inputs: fetched by the first task of the machine that needs one, read by all of them.

A side input is a directory: `objects/` has the objects by number, and `files/` has links to them with their own names.
Beside it, `NAME.arrow` has all records as columns, if any task has asked for them. A lock is held by whoever makes one
of these; it appears under its name when it is complete. So tasks that run at the same time fetch once, and one that is
killed leaves nothing that another could take for complete. A table of objects that are files already is made of those.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from podreduce.contract.errors import InputError, ProgramInvalidError, ScratchFullError
from podreduce.contract.plan import Piece, Plan, SideInput, SideObject, plan_reading
from podreduce.contract.uris import split_object_uri, split_uri
from podreduce.inputs import BLOCK_BYTES, LARGE_BLOCK_BYTES, RecordBlock, read_records
from podreduce.inputs.blocks import naming_changes
from podreduce.rows.scratch import FULL
from podreduce.storage import ObjectStore, open_store
from podreduce.watching.memory import shared_bytes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SideInputs"]

FETCH_THREADS: Final = 4
LEAST_WAIT_SECONDS: Final = 0.001
MOST_WAIT_SECONDS: Final = 0.05
WAITED_SHARE: Final = 0.125
"""Who has waited so long for another task looks again after this share of it: it waits little longer than it must."""

Open: TypeAlias = Callable[[str], ObjectStore]
Beat: TypeAlias = Callable[[], None]
Source: TypeAlias = tuple[ObjectStore, str, Piece]


class SideInputs:
    """The side inputs of one task.

    Args:
        directory: of this run, on this machine.
        open_input: opens the store of an input object.
        beat: is called as long as there is progress.
    """

    def __init__(self, plan: Plan, directory: Path, *, open_input: Open, beat: Beat) -> None:
        self._plan = plan
        self._directory = directory
        self._open_input = open_input
        self._beat = beat
        self._tables: dict[str, pa.Table] = {}
        self._mapped_bytes = 0
        self._shared_before = 0

    def records(self, name: str) -> Iterator[tuple[Any, Any]]:
        """Return (key, value) of all records, in the order of the objects."""
        found = self._find(name)
        self._fetched(found)
        return self._pairs(found)

    def files(self, name: str) -> tuple[Path, ...]:
        """Return the objects as local files, in their order."""
        found = self._find(name)
        directory = self._fetched(found) / "files"
        return tuple(directory / each.path for each in found.objects)

    def table(self, name: str) -> "pa.Table":
        """Return all records as columns, mapped into memory."""
        from podreduce.task.side_table import map_table  # noqa: PLC0415 - pyarrow, which row jobs do not need

        if name not in self._tables:
            found = self._find(name)
            path = self._made_table(found)
            self._shared_before = self._shared_before or shared_bytes()
            self._tables[name] = map_table(path)
            self._mapped_bytes += path.stat().st_size
        return self._tables[name]

    def unread_bytes(self) -> int:
        """Return how many bytes of mapped tables are not in memory yet: reading them will take it."""
        return max(self._mapped_bytes - max(shared_bytes() - self._shared_before, 0), 0)

    def _find(self, name: str) -> SideInput:
        for found in self._plan.side_inputs:
            if found.name == name:
                return found
        known = ", ".join(each.name for each in self._plan.side_inputs)
        has = f"it has {known}" if known else "it has none: add spec.sideInputs"
        raise ProgramInvalidError(f"the job has no side input {name!r}; {has}")

    def _pairs(self, found: SideInput) -> Iterator[tuple[Any, Any]]:
        with naming(found):
            for block in self._blocks(found, self._fetched_objects(found), BLOCK_BYTES):
                yield from zip(block.keys(), block.values, strict=True)

    def _blocks(self, found: SideInput, objects: Iterable[Source], block_bytes: int) -> Iterator[RecordBlock]:
        """Yield the blocks of all objects; messages name the objects."""
        plan = plan_reading(self._plan, found)
        for store, key, piece in objects:
            for block in read_records(plan, store, key, piece, block_bytes=block_bytes):
                self._beat()
                yield block

    def _fetched_objects(self, found: SideInput) -> Iterator[Source]:
        """Yield the objects as they have been fetched."""
        store, prefix = split_object_uri(f"file://{self._fetched(found) / 'objects'}/")
        for number, each in enumerate(found.objects):
            yield open_store(store), f"{prefix}{number}", whole(each)

    def _own_objects(self, found: SideInput) -> Iterator[Source]:
        """Yield the objects where they are."""
        for each in found.objects:
            store_uri, key = split_object_uri(each.uri)
            store = self._open_input(store_uri)
            with naming_changes(each.uri):
                refuse_changed(store, key, each)
            yield store, key, whole(each, etag=each.etag)

    def _made_table(self, found: SideInput) -> Path:
        """Return the file with the table, made by this task or an earlier one."""
        from podreduce.task.side_table import write_table  # noqa: PLC0415 - pyarrow, which row jobs do not need

        are_files = all(split_uri(each.uri)[0] == "file" for each in found.objects)
        objects = self._own_objects if are_files else self._fetched_objects

        def write(building: Path) -> None:
            with naming(found):
                write_table(lambda: self._blocks(found, objects(found), LARGE_BLOCK_BYTES), building)

        return self._make(self._directory / f"{found.name}.arrow", write)

    def _fetched(self, found: SideInput) -> Path:
        """Return the side input's directory, fetched by this task or an earlier one."""

        def fetch(building: Path) -> None:
            with naming(found):
                fetch_objects(found, building, open_input=self._open_input, beat=self._beat)

        return self._make(self._directory / found.name, fetch)

    def _make(self, path: Path, make: Callable[[Path], None]) -> Path:
        """Return `path`, made by one task while the others wait."""
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with holding(path.with_name(f"{path.name}.lock"), self._beat), naming_full(path):
            if not path.exists():
                building = path.with_name(f"{path.name}.building")
                remove(building)
                make(building)
                building.rename(path)
        return path


def whole(each: SideObject, *, etag: str | None = None) -> Piece:
    """Return the piece that is the whole object, of this version."""
    return Piece(uri=each.uri, start=0, end=each.bytes, object_bytes=each.bytes, etag=etag)


def fetch_objects(found: SideInput, directory: Path, *, open_input: Open, beat: Beat) -> None:
    """Fetch the objects of a side input into a new directory.

    Raises:
        InputError: an object is gone or has changed since the plan was made.
    """
    (directory / "objects").mkdir(parents=True)
    pool = ThreadPoolExecutor(FETCH_THREADS, thread_name_prefix="fetch-side-input")
    try:
        fetch = partial(fetch_object, directory, open_input=open_input, beat=beat)
        for _ in pool.map(fetch, range(len(found.objects)), found.objects):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def fetch_object(directory: Path, number: int, each: SideObject, *, open_input: Open, beat: Beat) -> None:
    """Fetch one object, and link it by its own name."""
    store_uri, key = split_object_uri(each.uri)
    store = open_input(store_uri)
    target, link = directory / "objects" / str(number), directory / "files" / each.path
    with naming_changes(each.uri), target.open("xb") as file:
        refuse_changed(store, key, each)
        for chunk in store.stream(key, 0, each.bytes, etag=each.etag):
            file.write(chunk)
            beat()
    target.chmod(0o444)  # one task's changes would be another's side input
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(target, link.parent))


def refuse_changed(store: ObjectStore, key: str, each: SideObject) -> None:
    """Refuse an object that was empty and is not any more: nothing of it is read, so nothing else would notice.

    Raises:
        InputError: it has changed.
    """
    if not each.bytes and store.head(key).size:
        raise InputError(f"{each.uri}: the object changed after planning; start a new run (a new runId)")


@contextmanager
def naming(found: SideInput) -> Iterator[None]:
    """Let the message of an error about an object begin with the side input.

    Raises:
        InputError: the object is not what it should be.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"side input {found.name}: {error}") from error


@contextmanager
def holding(path: Path, beat: Beat) -> Iterator[None]:
    """Hold the lock of this name. It is free as soon as its holder has ended, for any reason.

    Waiting counts as progress: a holder that makes none is ended, and then it is the turn of another.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        began = time.monotonic()
        while not try_lock(descriptor):
            beat()
            waited = time.monotonic() - began
            time.sleep(min(max(WAITED_SHARE * waited, LEAST_WAIT_SECONDS), MOST_WAIT_SECONDS))
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take a lock if it is free."""
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            return False
        raise
    return True


@contextmanager
def naming_full(path: Path) -> Iterator[None]:
    """Turn the error for a full volume into one that says what does not fit.

    Raises:
        ScratchFullError: the volume is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise ScratchFullError(
            f"{path}: no space for this side input ({error.strerror}): give the task a larger scratch volume, or make "
            "the side input smaller"
        ) from error


def remove(path: Path) -> None:
    """Remove what a killed task has left."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
