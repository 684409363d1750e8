"""Archives as anybody may make them: what is taken is written as it is, and nothing else is written anywhere."""

import io
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.errors import ProgramInvalidError
from podreduce.program import unpacking
from podreduce.program.unpacking import unpack

URI = "s3://jobs/words.zip"


def zip_of(files: Mapping[str, bytes], **fields: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = fields.get("compress_type", zipfile.ZIP_DEFLATED)
            entry.external_attr = fields.get("mode", 0o644) << 16
            archive.writestr(entry, data)
    return packed.getvalue()


def unpack_bytes(data: bytes, directory: Path, uri: str = URI) -> dict[str, bytes]:
    """What is below the target afterwards. Nothing else may be there, whether or not it is refused."""
    packed, target = directory / "packed", directory / "deep" / "target"
    packed.write_bytes(data)
    target.parent.mkdir()
    try:
        unpack(packed, target, uri)
    finally:
        assert {each.name for each in directory.iterdir()} == {"packed", "deep"}
        assert {each.name for each in target.parent.iterdir()} <= {"target"}
        found = list(target.rglob("*"))
        assert all(each.is_dir() or stat.S_ISREG(each.lstat().st_mode) for each in found)
    return {str(each.relative_to(target)): each.read_bytes() for each in found if each.is_file()}


def lying(data: bytes, size: int) -> bytes:
    """An archive of one file that says that this is its size."""
    place = data.rindex(b"PK\x01\x02")
    changed = bytearray(data)
    changed[place + 24 : place + 28] = struct.pack("<I", size)
    return bytes(changed)


def duplicated() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.py", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.py", "2")
    return packed.getvalue()


def encrypted() -> bytes:
    data = bytearray(zip_of({"a.py": b"1"}))
    for start, flags in ((data.index(b"PK\x03\x04"), 6), (data.rindex(b"PK\x01\x02"), 8)):
        data[start + flags] |= 1
    return bytes(data)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "parent": (lambda: zip_of({"../a.py": b"1"}), "does not stay within"),
    "parent in the middle": (lambda: zip_of({"a/../../b.py": b"1"}), "does not stay within"),
    "absolute": (lambda: zip_of({"/etc/a.py": b"1"}), "does not stay within"),
    "here": (lambda: zip_of({"./a.py": b"1"}), "does not stay within"),
    "two slashes": (lambda: zip_of({"a//b.py": b"1"}), "does not stay within"),
    "backslash": (lambda: zip_of({"..\\a.py": b"1"}), "does not stay within"),
    "nul": (lambda: zip_of({"a.pyXb": b"1"}).replace(b"a.pyXb", b"a.py\0b"), "does not stay within"),
    "long name": (lambda: zip_of({f"{'a' * 300}.py": b"1"}), "cannot be made under its name"),
    "link": (lambda: zip_of({"a.py": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777), "a link or a special file"),
    "device": (lambda: zip_of({"a.py": b""}, mode=stat.S_IFCHR | 0o666), "a link or a special file"),
    "two of one name": (duplicated, "two of its files are called 'a.py'"),
    "two on some file systems": (lambda: zip_of({"a.py": b"1", "A.py": b"2"}), "two of its files are called 'A.py'"),
    "file and directory": (lambda: zip_of({"a": b"1", "a/b.py": b"2"}), "lies below another"),
    "file below a file": (lambda: zip_of({"a/b.py": b"2", "A": b"1"}), "lies below another"),
    "encrypted": (encrypted, "encrypted"),
    "another compression": (lambda: zip_of({"a.py": b"1"}, compress_type=zipfile.ZIP_LZMA), "not deflate"),
    "a larger size than it has": (lambda: lying(zip_of({"a.py": b"1" * 99}), 3 * 2**30), "unpacks to"),
    "a smaller size than it has": (lambda: lying(zip_of({"a.py": b"1" * 99}), 9), "no zip file that can be read"),
    "cut": (lambda: zip_of({"a.py": b"1"})[:-5], "no zip file"),
    "nothing": (lambda: b"", "no zip file"),
    "text": (lambda: b"class Job: pass\n", "no zip file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_named(name: str, tmp_path: Path) -> None:
    make, why = HOSTILE[name]
    with pytest.raises(ProgramInvalidError, match=why) as refusal:
        unpack_bytes(make(), tmp_path)
    assert str(refusal.value).startswith(f"{URI}: ")


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 1000)
    assert unpack_bytes(zip_of({"a": bytes(1000)}), new_directory(tmp_path)) == {"a": bytes(1000)}
    with pytest.raises(ProgramInvalidError, match="unpacks to 1,001 bytes, and may to 1,000"):
        unpack_bytes(zip_of({"a": bytes(600), "b": bytes(401)}), new_directory(tmp_path))


def new_directory(parent: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=parent))


def test_an_archive_with_more_entries_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 3)
    assert len(unpack_bytes(zip_of(dict.fromkeys("abc", b"")), new_directory(tmp_path))) == 3
    with pytest.raises(ProgramInvalidError, match="4 entries, and may have 3"):
        unpack_bytes(zip_of(dict.fromkeys("abcd", b"")), new_directory(tmp_path))


def test_a_wheel_is_unpacked_as_an_installer_would_place_it(tmp_path: Path) -> None:
    files = {"a/__init__.py": b"1", "a-1.data/platlib/b.py": b"2", "a-1.data/scripts/run": b"3"}
    wheel = unpack_bytes(zip_of(files), new_directory(tmp_path), "s3://jobs/a-1-py3-none-any.whl")
    assert wheel == {"a/__init__.py": b"1", "b.py": b"2", "a-1.data/scripts/run": b"3"}
    with pytest.raises(ProgramInvalidError, match="two of its files"):
        unpack_bytes(zip_of({"b.py": b"1", **files}), new_directory(tmp_path), "s3://jobs/a-1-py3-none-any.whl")


NAMES = (
    st.lists(st.sampled_from(["a", "B", "..", ".", "", "c\\d", "é", "x" * 300]), min_size=1, max_size=4)
    .map("/".join)
    .filter(bool)
)
MODES = st.sampled_from([0, 0o644, stat.S_IFREG | 0o755, stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFDIR])


@given(files=st.dictionaries(NAMES, st.tuples(st.binary(max_size=50), MODES), max_size=5))
def test_whatever_the_names_nothing_is_written_elsewhere(files: dict[str, tuple[bytes, int]]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, (data, mode) in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, data)
    with tempfile.TemporaryDirectory() as directory:
        try:
            found = unpack_bytes(packed.getvalue(), Path(directory))
        except ProgramInvalidError:
            return
    assert found == {name: data for name, (data, _) in files.items() if not name.endswith("/")}


SOUND = zip_of({"a.py": b"print()\n" * 20, "b/__init__.py": b"", "b/c.txt": b"text"})


@given(changes=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_archive_is_refused_or_says_the_same(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for place, value in changes:
        data[place] = value
    with tempfile.TemporaryDirectory() as directory:
        try:
            unpack_bytes(bytes(data), Path(directory))
        except ProgramInvalidError as error:
            assert str(error).startswith(f"{URI}: ")  # noqa: PT017 - either may happen
