"""What goes into a program's archive: the same files give the same bytes, and a task gets back what was packed."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.program.unpacking import unpack
from podreduce_operator.cli import program_archive
from podreduce_operator.cli.program_archive import ArchiveError, find_files, pack


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def unpacked(data: bytes, directory: Path) -> dict[str, bytes]:
    (directory / "packed").write_bytes(data)
    unpack(directory / "packed", directory / "unpacked", "s3://jobs/a.zip")
    found = (each for each in (directory / "unpacked").rglob("*") if each.is_file())
    return {str(each.relative_to(directory / "unpacked")): each.read_bytes() for each in found}


DIRECTORIES = ["", "words/", "words/deep/", "data/", "é/"]
NAMES = st.builds(
    "{}{}".format, st.sampled_from(DIRECTORIES), st.sampled_from(["a.py", "b.py", "c.json", "__init__.py"])
)
TREES = st.dictionaries(NAMES, st.binary(max_size=20), max_size=8).map(lambda tree: {**tree, "job.py": b"pass\n"})


@given(tree=TREES, order=st.randoms(use_true_random=False))
def test_the_same_files_give_the_same_bytes_whatever_else_differs(tree: dict[str, bytes], order: Random) -> None:
    names = list(tree)
    order.shuffle(names)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        write(Path(one), tree)
        write(Path(other), {name: tree[name] for name in names})
        for number, name in enumerate(names):
            os.utime(Path(other, name), (1_000_000_000 + number, 1_000_000_000 + number))
            Path(other, name).chmod(0o700)
        write(
            Path(other), {"__pycache__/job.pyc": b"1", ".git/config.py": b"2", "words/.hidden.py": b"3", "out.txt": b""}
        )
        assert pack(Path(one)) == pack(Path(other))


@given(tree=TREES)
def test_a_task_gets_what_was_packed(tree: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as target:
        write(Path(source), tree)
        expected = {name: path.read_bytes() for name, path in find_files(Path(source)).items()}
        assert unpacked(pack(Path(source)), Path(target)) == expected


@given(tree=TREES, data=st.data())
def test_another_byte_or_name_gives_another_archive(tree: dict[str, bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), tree)
        before, files = pack(Path(directory)), find_files(Path(directory))
        path = files[data.draw(st.sampled_from([*files]))]
        if data.draw(st.booleans()):
            path.write_bytes(path.read_bytes() + b"#")
        else:
            path.rename(path.with_name(f"other{path.suffix}"))
        if Path(directory, "job.py").exists():
            assert pack(Path(directory)) != before


def test_modules_and_the_files_of_packages_are_packed_and_nothing_else(tmp_path: Path) -> None:
    packed = ["job.py", "words/__init__.py", "words/model.json", "space/inner/deep.py", "space/notes.md"]
    left = ["README.md", "sample.txt", "counts/part-r-00000.txt", "words/__pycache__/x.pyc", ".venv/lib/a.py"]
    left += ["env/pyvenv.cfg", "env/lib/a.py", "a.egg-info/b.py", "node_modules/a.py"]
    write(tmp_path, dict.fromkeys([*packed, *left], b""))
    assert list(find_files(tmp_path)) == sorted(packed)


def test_a_link_to_a_file_is_packed_as_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"job/a.py": b"1", "shared.py": b"2"})
    (tmp_path / "job" / "b.py").symlink_to(tmp_path / "shared.py")
    (tmp_path / "new").mkdir()
    assert unpacked(pack(tmp_path / "job"), tmp_path / "new") == {"a.py": b"1", "b.py": b"2"}


def link_to_directory(directory: Path) -> None:
    write(directory, {"shared/a.py": b""})
    (directory / "job" / "shared").symlink_to(directory / "shared")


REFUSED = {
    "no module": (lambda directory: (directory / "job" / "job.py").unlink(), "no Python module there"),
    "a link to nothing": (lambda directory: (directory / "job" / "a.py").symlink_to("gone.py"), "a link to nothing"),
    "a pipe": (lambda directory: os.mkfifo(directory / "job" / "a.py"), "no plain file"),
    "a link to a directory": (link_to_directory, "is a link to a directory"),
    "one name on some systems": (lambda directory: write(directory / "job", {"JOB.py": b""}), "are one name on some"),
    "a backslash": (lambda directory: write(directory / "job", {"a\\b.py": b""}), "a backslash in its name"),
    "no utf-8": (lambda directory: write(directory / "job", {"a\udcff.py": b""}), "not UTF-8"),
    "too large": (lambda directory: write(directory / "job", {"big.py": bytes(2000)}), "the largest file is big.py"),
    "not there": (lambda directory: (directory / "job").rename(directory / "jobs"), "cannot be read: No such file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_archive_cannot_hold_is_refused_and_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_archive, "MAX_FILE_BYTES", 1500)
    change, why = REFUSED[name]
    write(tmp_path, {"job/job.py": b""})
    change(tmp_path)
    with pytest.raises(ArchiveError, match=why):
        pack(tmp_path / "job")
