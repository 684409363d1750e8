"""What a program put out, as a multiset: how many records, and a checksum that their order does not change.

Rule: outputs of different programs are compared after they are brought to one form: a line `key TAB value`, or a record
without its line end.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.bench.data import KEY_BYTES, RECORD_BYTES

__all__ = ["Digest", "digest_lines", "digest_pair_lines", "digest_sorted_records", "find_difference", "output_files"]

WORD: Final = 1 << 64
READ_RECORDS: Final = 500_000
CONTENT_BYTES: Final = RECORD_BYTES - 2
WEIGHT_SEED: Final = 98


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A multiset of records. `misplaced`: records that are smaller than the one before, where order counts."""

    records: int
    checksum: int
    misplaced: int = 0


def find_difference(expected: Digest, actual: Digest) -> str | None:
    """Return what is wrong with an output; None if it is right."""
    if actual.records != expected.records:
        return f"{actual.records:,} records in place of {expected.records:,}"
    if actual.checksum != expected.checksum:
        return "other records than expected"
    if actual.misplaced != expected.misplaced:
        return f"{actual.misplaced:,} records out of order"
    return None


def output_files(directory: Path) -> list[Path]:
    """Return the parts of an output in their order; what begins with `_` or `.` is none."""
    return sorted(path for path in directory.iterdir() if path.is_file() and path.name[0] not in "_.")


def digest_lines(directory: Path) -> Digest:
    """Digest lines as they stand."""
    return digest_texts(path.read_bytes() for path in output_files(directory))


def digest_pair_lines(directory: Path) -> Digest:
    """Digest lines `key TAB ["url",count]`, as podreduce writes a pair, in the form `key TAB url TAB count`."""
    texts = (path.read_bytes() for path in output_files(directory))
    return digest_texts(text.replace(b'\t["', b"\t").replace(b'",', b"\t").replace(b"]\n", b"\n") for text in texts)


def digest_texts(texts: Iterable[bytes]) -> Digest:
    """Add up the lines of some texts."""
    records = checksum = 0
    for text in texts:
        lines = text.splitlines()
        records += len(lines)
        checksum += sum(map(hash_line, lines))
    return Digest(records=records, checksum=checksum % WORD)


def hash_line(line: bytes) -> int:
    """Return 64 bits of the line's hash."""
    return int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "little")


def digest_sorted_records(directory: Path) -> Digest:
    """Digest fixed-length records, with or without CR, and count those whose key is below the one before."""
    records = checksum = misplaced = 0
    last = bytes(KEY_BYTES)
    for block in read_records(directory):
        keys = np.ascontiguousarray(block[:, :KEY_BYTES]).view(f"S{KEY_BYTES}").ravel()
        misplaced += int(np.count_nonzero(keys[1:] < keys[:-1])) + int(bytes(keys[0]) < last)
        last = bytes(keys[-1])
        records += len(block)
        checksum += int(hash_records(block).sum(dtype=np.uint64))
    return Digest(records=records, checksum=checksum % WORD, misplaced=misplaced)


def read_records(directory: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield blocks of records without their line ends.

    Raises:
        ValueError: a file is no whole number of records.
    """
    for path in output_files(directory):
        size = path.stat().st_size
        if size:
            with path.open("rb") as file:
                length = len(file.readline())
            if size % length or length not in (CONTENT_BYTES + 1, CONTENT_BYTES + 2):
                raise ValueError(f"{path.name}: {size:,} bytes are no records of {RECORD_BYTES}")
            rows = np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, length)[:, :CONTENT_BYTES]
            yield from (rows[start : start + READ_RECORDS] for start in range(0, len(rows), READ_RECORDS))


def hash_records(block: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return 64 bits of each record: a weighted sum of its bytes, well mixed (the finalizer of splitmix64)."""
    weights = np.random.default_rng(WEIGHT_SEED).integers(1, WORD, CONTENT_BYTES, dtype=np.uint64) | np.uint64(1)
    words = np.zeros(len(block), dtype=np.uint64)
    for column, weight in enumerate(weights):
        words += block[:, column].astype(np.uint64) * weight
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        words = (words ^ (words >> np.uint64(shift))) * np.uint64(factor)
    return words ^ (words >> np.uint64(31))


Reader = Callable[[Path], Digest]
