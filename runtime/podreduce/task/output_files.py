"""The files that a program writes beside its part of the output: local until its end, then staged like a part."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from fcntl import F_GETFL, fcntl
from pathlib import Path
from typing import Final

from podreduce.contract.errors import ProgramError, ProgramInvalidError
from podreduce.contract.layout import file_key, staged_file_key
from podreduce.contract.output_files import (
    MOST_FILE_BYTES_OF_TASK,
    MOST_FILES_OF_TASK,
    FileRef,
    find_clash,
    find_name_problem,
)
from podreduce.contract.plan import JobIdentity
from podreduce.contract.task import TaskRef
from podreduce.storage import ObjectStore, ObjectWriter, StagedUpload

__all__ = ["OutputFiles"]

READ_BYTES: Final = 1 << 20
DESCRIPTORS: Final = Path("/proc/self/fd")


class OutputFiles:
    """The files of one attempt. `directory` is its own, on its scratch volume."""

    def __init__(self, directory: Path, task: TaskRef, attempt_id: str) -> None:
        self._directory = directory
        self._task = task
        self._attempt_id = attempt_id
        self._names: list[str] = []
        self._refusal: str | None = None

    def place(self, name: str) -> Path:
        """Return where the program may write the file `name`; the same path each time.

        Raises:
            ProgramInvalidError: there can be no such file.
        """
        if self._refusal is not None:
            raise self._forbidden(name, self._refusal)
        if name not in self._names:
            self._admit(name)
            self._names.append(name)
        path = self._directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _admit(self, name: str) -> None:
        problem = find_name_problem(name) if isinstance(name, str) else "a name is a str"
        if problem is not None:
            raise self._forbidden(name, problem)
        if len(self._names) == MOST_FILES_OF_TASK:
            raise self._forbidden(name, f"a task writes at most {MOST_FILES_OF_TASK} files")
        clash = find_clash(name, self._names)
        if clash is not None:
            raise self._forbidden(name, f"it cannot be beside {clash!r}, of which one is a directory: rename one")

    def refuse(self, why: str) -> None:
        """Allow no file from now on, nor any that the program has asked for already.

        Raises:
            ProgramInvalidError: it has asked for one.
        """
        if self._names:
            raise self._forbidden(self._names[0], why)
        self._refusal = why

    def stage(self, output: ObjectStore, job: JobIdentity) -> tuple[FileRef, ...]:
        """Put the files into the store, unpublished, and delete them here. Call it when the program has ended.

        Raises:
            ProgramError: a file was not written or not closed, or they are too large together.
        """
        left = MOST_FILE_BYTES_OF_TASK
        self._refuse_open()
        for name in self._names:
            left -= self._size_of(name)
            if left < 0:
                raise self._refused(name, f"the files of a task have at most {MOST_FILE_BYTES_OF_TASK} bytes together")
        staged = tuple(self._stage_one(output, job, number) for number in range(len(self._names)))
        shutil.rmtree(self._directory, ignore_errors=True)
        return staged

    def _size_of(self, name: str) -> int:
        path = self._directory / name
        if path.is_symlink() or not path.is_file():
            raise self._refused(name, "the program has written no file to the path that it got")
        return path.stat().st_size

    def _refuse_open(self) -> None:
        """Refuse a file that the program may still be writing to: what its buffer holds would be lost."""
        written = set(files_open_for_writing()) if self._names else set()
        for name in self._names:
            if str(self._directory.resolve() / name) in written:
                raise self._refused(name, "the file is still open: close it, in teardown at the latest")

    def _stage_one(self, output: ObjectStore, job: JobIdentity, number: int) -> FileRef:
        name, size, digest = self._names[number], 0, hashlib.sha256()
        key = staged_file_key(job.uid, job.run_id, self._task, self._attempt_id, number)
        staged = StagedUpload(output, key, file_key(name))
        with ObjectWriter(staged) as writer:
            for data in read_file(self._directory / name):
                digest.update(data)
                size += len(data)
                writer.write(data)
        return FileRef(name=name, key=staged.key, bytes=size, sha256=digest.hexdigest())

    def _forbidden(self, name: object, why: str) -> ProgramInvalidError:
        return ProgramInvalidError(f"context.output_file({name!r}) in task {self._task}: {why}")

    def _refused(self, name: str, why: str) -> ProgramError:
        return ProgramError(f"context.output_file({name!r}) in task {self._task}: {why}")


def files_open_for_writing() -> Iterator[str]:
    """Yield the paths of the files that this process may write to; nothing without /proc."""
    with suppress(OSError):
        for link in DESCRIPTORS.iterdir():
            with suppress(OSError):  # it was the one of the listing, or a thread has closed it
                if fcntl(int(link.name), F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
                    yield str(link.readlink())


def read_file(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks."""
    with path.open("rb") as file:
        while data := file.read(READ_BYTES):
            yield data
