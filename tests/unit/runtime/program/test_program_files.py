"""Archives and wheels of a program: fetched once, verified, and found by `import` in their place."""

import hashlib
import io
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from podreduce.contract.errors import ProgramInvalidError
from podreduce.contract.own_versions import own_versions
from podreduce.contract.plan import Program, ProgramFile
from podreduce.process.entry import add_directories
from podreduce.program import program_files
from podreduce.program.loading import load_program
from podreduce.program.program_files import provide_files
from podreduce.storage import ObjectStore, open_store

JOB = "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"


def pack(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.fixture(autouse=True)
def _same_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        del sys.modules[name]


@pytest.fixture
def store() -> ObjectStore:
    return open_store(f"memory://{uuid4()}/")


class Stores:
    """Opens stores, and counts how often."""

    def __init__(self) -> None:
        self.opened = 0

    def open_at(self, uri: str) -> ObjectStore:
        self.opened += 1
        return open_store(uri)


def put(store: ObjectStore, name: str, data: bytes) -> ProgramFile:
    store.put(name, data)
    return ProgramFile(uri=store.uri_of(name), digest=f"sha256:{hashlib.sha256(data).hexdigest()}")


def provide(directory: Path, open_at: Callable[[str], ObjectStore] = open_store, **fields: Any) -> Path | None:
    return provide_files(Program(source="", **fields), open_at, directory)


def test_the_module_and_its_neighbours_come_from_the_archive(store: ObjectStore, tmp_path: Path) -> None:
    files = {"words/__init__.py": "", "words/jobs.py": f"from words import helper\n{JOB}", "words/helper.py": ""}
    program = Program(module="words.jobs", archive=put(store, "words.zip", pack(files)))
    archive = provide_files(program, open_store, tmp_path)
    assert load_program(program, name="job", archive=archive).class_name == "Job"


def test_wheels_come_before_installed_packages_and_the_archive_after_them(store: ObjectStore, tmp_path: Path) -> None:
    wheel = put(store, "extra-1.0-py3-none-any.whl", pack({"extra.py": ""}))
    archive = provide(tmp_path, archive=put(store, "a.zip", pack({"a.py": ""})), requirements=(wheel,))
    installed = next(place for place, each in enumerate(sys.path) if each.endswith("site-packages"))
    assert sys.path[installed - 1] == str(tmp_path / wheel.digest.removeprefix("sha256:"))
    assert sys.path[-1] == str(archive)


def test_modules_where_somebody_works_do_not_take_the_place_of_the_archives(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task is run again in the directory of its program, which has another version now."""
    files = {"counting.py": f"from splitting import split\n{JOB}", "splitting.py": "split = str.split\n"}
    here, beside = tmp_path / "here", tmp_path / "beside"
    for directory, name in ((here, "counting.py"), (beside, "splitting.py")):
        directory.mkdir()
        (directory / name).write_text("raise ValueError('of today')\n")
    monkeypatch.chdir(here)
    monkeypatch.setenv("PODREDUCE_MODULES", str(beside))
    add_directories()
    program = Program(module="counting", archive=put(store, "a.zip", pack(files)))
    archive = provide_files(program, open_store, tmp_path / "files")
    assert load_program(program, name="job", archive=archive).class_name == "Job"
    assert sys.path[-3:] == [str(archive), str(beside), str(here)]


def test_a_module_that_python_has_already_is_not_taken_for_the_archives(store: ObjectStore, tmp_path: Path) -> None:
    program = Program(module="calendar", archive=put(store, "a.zip", pack({"calendar.py": JOB})))
    archive = provide_files(program, open_store, tmp_path)
    with pytest.raises(ProgramInvalidError, match=r"program.module calendar: there is another module of this name, /"):
        load_program(program, name="job", archive=archive)


def test_a_module_that_the_archive_lacks_is_named(store: ObjectStore, tmp_path: Path) -> None:
    program = Program(module="words.jobs", archive=put(store, "a.zip", pack({"other.py": JOB})))
    archive = provide_files(program, open_store, tmp_path)
    with pytest.raises(ProgramInvalidError, match=r"words.jobs: no such module; put it into program.archive"):
        load_program(program, name="job", archive=archive)


def test_another_content_than_the_plan_names_is_refused_with_both_digests(store: ObjectStore, tmp_path: Path) -> None:
    first = put(store, "a.zip", pack({"a.py": "1"}))
    second = put(store, "a.zip", pack({"a.py": "2"}))
    with pytest.raises(ProgramInvalidError) as refusal:
        provide(tmp_path, archive=first)
    assert all(part in str(refusal.value) for part in (first.uri, first.digest, second.digest, "spec.runId"))
    assert [each for each in tmp_path.iterdir() if each.is_dir()] == []


def test_a_file_that_is_not_there_is_named(store: ObjectStore, tmp_path: Path) -> None:
    missing = ProgramFile(uri=store.uri_of("a.zip"), digest=f"sha256:{'0' * 64}")
    with pytest.raises(ProgramInvalidError, match=f"{missing.uri}: there is no such object"):
        provide(tmp_path, archive=missing)


def test_a_file_larger_than_the_limit_is_not_read(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_files, "MAX_FILE_BYTES", 100)
    with pytest.raises(ProgramInvalidError, match="may have 100"):
        provide(tmp_path, archive=put(store, "a.zip", bytes(101)))


def test_tasks_that_share_a_directory_fetch_each_file_once(store: ObjectStore, tmp_path: Path) -> None:
    archive, stores = put(store, "a.zip", pack({"a.py": "1"})), Stores()
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(provide, tmp_path, stores.open_at, archive=archive) for _ in range(8)]
        places = {call.result() for call in calls}
    assert places == {tmp_path / archive.digest.removeprefix("sha256:")}
    assert stores.opened == 1


UNFIT = {
    "another python": ("extra-1.0-cp27-cp27m-win32.whl", "the wheel is for cp27-cp27m-win32, and this is CPython"),
    "no wheel's name": ("extra.whl", "this is no name of a wheel"),
    "another numpy": ("numpy-0.1-py3-none-any.whl", "leave numpy out of the requirements"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_wheel_that_does_not_fit_is_refused_before_it_is_fetched(name: str, tmp_path: Path) -> None:
    file, why = UNFIT[name]
    wheel = ProgramFile(uri=f"s3://jobs/{file}", digest=f"sha256:{'0' * 64}")
    with pytest.raises(ProgramInvalidError, match=why) as refusal:
        provide(tmp_path, requirements=(wheel,))
    assert str(refusal.value).startswith(wheel.uri)


def test_a_wheel_of_what_the_image_has_is_not_fetched(tmp_path: Path) -> None:
    name = f"msgspec-{own_versions()['msgspec']}-py3-none-any.whl"
    provide(tmp_path, requirements=(ProgramFile(uri=f"s3://jobs/{name}", digest=f"sha256:{'0' * 64}"),))
    assert list(tmp_path.iterdir()) == []


def test_tracebacks_show_the_place_in_the_archive(store: ObjectStore, tmp_path: Path) -> None:
    program = Program(module="words.jobs", archive=put(store, "a.zip", pack({"words/jobs.py": "import words.gone"})))
    archive = provide_files(program, open_store, tmp_path / "podreduce-program")
    with pytest.raises(ProgramInvalidError) as refusal:
        load_program(program, name="job", archive=archive)
    assert 'File "words/jobs.py", line 1' in refusal.value.user_traceback
