"""The benchmark's input: Zipf text, an access log, fixed-length records. Made once per size, and kept.

Rule: the same kind and size give the same bytes, and a directory that is there is whole: it was renamed into place.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.bench.paths import cache_directory

__all__ = ["KEY_BYTES", "MEGABYTE", "RECORD_BYTES", "Kind", "data_bytes", "prepare_data"]

MEGABYTE: Final = 1_000_000
FILES: Final = 8
FIRST_SEED: Final = 1000

VOCABULARY: Final = 200_000
VOCABULARY_SEED: Final = 7
WORDS_PER_LINE: Final = 10
WORD_EXPONENT: Final = 1.25

PAGES: Final = 5000
PAGE_EXPONENT: Final = 1.3
MINUTES: Final = 24 * 60
STATUSES: Final = (200, 200, 200, 304, 404, 500)

RECORD_BYTES: Final = 100
KEY_BYTES: Final = 10
PRINTABLE: Final = (32, 127)
CAPITALS: Final = (65, 91)

LINES_PER_BLOCK: Final = 20_000


class Kind(StrEnum):
    """What a directory of data holds; the names are those of the directories."""

    WORDS = "words"
    LOG = "log"
    RECORDS = "records"


def prepare_data(kind: Kind, megabytes: int) -> Path:
    """Return the directory of that much data in eight files, making it where this machine has not yet."""
    directory = cache_directory() / f"{kind}-{megabytes}"
    if not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{kind}-", dir=directory.parent) as scratch:
            made = Path(scratch) / "made"
            write_data(kind, made / "input", megabytes * MEGABYTE)
            made.rename(directory)
    return directory / "input"


def write_data(kind: Kind, directory: Path, total_bytes: int) -> None:
    """Write eight files of equal size, up to a line, each from a seed of its own."""
    directory.mkdir(parents=True)
    for index in range(FILES):
        numbers = np.random.default_rng(FIRST_SEED + index)
        with (directory / f"part-{index:04d}").open("wb") as file:
            for block in cut_blocks(GENERATORS[kind](numbers), total_bytes // FILES):
                file.write(block)


def cut_blocks(blocks: Iterator[bytes], total_bytes: int) -> Iterator[bytes]:
    """Yield blocks until there are `total_bytes`; the last one is cut after the line that gets there."""
    missing = total_bytes
    for block in blocks:
        if len(block) >= missing:
            yield block[: block.index(b"\n", max(missing - 1, 0)) + 1]
            return
        yield block
        missing -= len(block)


def generate_words(numbers: np.random.Generator) -> Iterator[bytes]:
    """Yield blocks of lines of ten words; a word's frequency falls with its rank by Zipf's law."""
    words = vocabulary()
    while True:
        ranks = numbers.zipf(WORD_EXPONENT, LINES_PER_BLOCK * WORDS_PER_LINE)
        drawn = words[np.minimum(ranks, len(words)) - 1].reshape(LINES_PER_BLOCK, WORDS_PER_LINE)
        yield b"\n".join(map(b" ".join, drawn.tolist())) + b"\n"


@cache
def vocabulary() -> NDArray[np.object_]:
    """Return words of two to eleven letters, the most frequent first."""
    numbers = np.random.default_rng(VOCABULARY_SEED)
    ends = np.cumsum(numbers.integers(2, 12, VOCABULARY)).tolist()
    letters = numbers.integers(ord("a"), ord("z") + 1, ends[-1]).astype(np.uint8).tobytes()
    return np.array([letters[start:end] for start, end in zip([0, *ends], ends, strict=False)], dtype=object)


def generate_log(numbers: np.random.Generator) -> Iterator[bytes]:
    """Yield blocks of lines `timestamp,url,status,milliseconds` of one day, a few urls being most of them."""
    while True:
        minutes = numbers.integers(0, MINUTES, LINES_PER_BLOCK).tolist()
        pages = np.minimum(numbers.zipf(PAGE_EXPONENT, LINES_PER_BLOCK), PAGES).tolist()
        statuses = numbers.choice(STATUSES, LINES_PER_BLOCK).tolist()
        milliseconds = numbers.integers(1, 2000, LINES_PER_BLOCK).tolist()
        yield "".join(map(format_log_line, minutes, pages, statuses, milliseconds)).encode()


def format_log_line(minute: int, page: int, status: int, milliseconds: int) -> str:
    """Return one line of the log."""
    return f"2026-01-01T{minute // 60:02d}:{minute % 60:02d},/p/{page}/index.html,{status},{milliseconds}\n"


def generate_records(numbers: np.random.Generator) -> Iterator[bytes]:
    """Yield blocks of 100-byte records: ten printable bytes of key, a payload of capitals, CR LF."""
    while True:
        records = np.empty((LINES_PER_BLOCK, RECORD_BYTES), dtype=np.uint8)
        records[:, :KEY_BYTES] = numbers.integers(*PRINTABLE, (LINES_PER_BLOCK, KEY_BYTES))
        records[:, KEY_BYTES:-2] = numbers.integers(*CAPITALS, (LINES_PER_BLOCK, RECORD_BYTES - KEY_BYTES - 2))
        records[:, -2:] = tuple(b"\r\n")
        yield records.tobytes()


GENERATORS: Final[dict[Kind, Callable[[np.random.Generator], Iterator[bytes]]]] = {
    Kind.WORDS: generate_words,
    Kind.LOG: generate_log,
    Kind.RECORDS: generate_records,
}


def data_bytes(directory: Path) -> int:
    """Return how much there is to read."""
    return sum(entry.stat().st_size for entry in os.scandir(directory))
