"""A scratch file reads back what was written, leaves no name, and says which volume is full."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from podreduce.contract.errors import InternalError, ScratchFullError
from podreduce.rows.runs import RunWriter
from podreduce.rows.scratch import WRITE_BYTES, ScratchFile
from tests.support.blobs import make_map_output


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """As if every volume had only `size` bytes left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [1, WRITE_BYTES - 1, WRITE_BYTES, WRITE_BYTES + 1])
def test_what_was_written_is_read_back_from_anywhere(tmp_path: Path, size: int) -> None:
    file = ScratchFile(str(tmp_path))
    file.write(b"a" * size)
    file.write(b"end")
    file.flush()
    assert file.fetch(size - 1, size + 3) == b"aend"
    assert file.fetch(size, size + 100) == b"end"
    assert list(tmp_path.iterdir()) == []
    file.close()


def test_a_full_volume_is_named_with_its_remedy(tmp_path: Path) -> None:
    records = [(n, str(n) * 100) for n in range(5000)]
    with (
        no_file_over(50_000),
        pytest.raises(ScratchFullError, match=f"{tmp_path} has no space .* larger scratch volume"),
    ):
        make_map_output(records, scratch=tmp_path, budget_bytes=1_000_000)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        ScratchFile(str(tmp_path / "missing"))


def test_a_spill_file_that_does_not_read_back_is_our_node_s_fault(tmp_path: Path) -> None:
    writer = RunWriter(str(tmp_path), buckets=1)
    writer.packer.add(0, b"key", 1, b"N")
    run = writer.finish()
    broken = ScratchFile(str(tmp_path))
    broken.write(b"x" * run.footer.offsets[-1])
    broken.flush()
    with pytest.raises(InternalError, match="check the node's disk"):
        list(replace(run, file=broken).frames(0))
