"""The input of the end-to-end tests: 20 MB of real text and as much of an access log, in five objects each.

The text is Python's own standard library, which every machine that runs these tests has; the log is made by a seeded
generator. One object is gzip, one is empty, one ends without a newline, and some lines end in CRLF.
"""

import gzip
import random
import sysconfig
from functools import cache
from itertools import islice
from pathlib import Path

__all__ = ["Corpus", "access_log", "real_text"]

Corpus = dict[str, bytes]
MEGABYTE = 1_000_000
TOTAL_BYTES = 26 * MEGABYTE
LINES = 700_000


@cache
def real_text() -> Corpus:
    """Return text objects by name: more than 20 MB as stored."""
    return as_objects(read_standard_library(), ending="txt")


@cache
def access_log() -> Corpus:
    """Return log objects by name: `timestamp,url,status,milliseconds` a line."""
    numbers = random.Random(20)  # noqa: S311 - a generator of test data
    lines = islice(iter(lambda: log_line(numbers), None), LINES)
    return as_objects("\n".join(lines).encode() + b"\n", ending="csv")


def log_line(numbers: random.Random) -> str:
    minute = numbers.randrange(1440)
    page = int(numbers.paretovariate(0.8)) % 3000
    status = numbers.choice((200, 200, 200, 304, 404))
    return f"2026-01-01T{minute // 60:02}:{minute % 60:02},/p/{page}/index.html,{status},{numbers.randrange(2000)}"


def read_standard_library() -> bytes:
    """Return the standard library's sources, over and over until there is enough, every third file with CRLF."""
    root = Path(sysconfig.get_path("stdlib"))
    texts: list[bytes] = []
    total = 0
    while total < TOTAL_BYTES:
        for number, path in enumerate(sorted(root.rglob("*.py"))):
            text = path.read_bytes()
            if is_utf8(text) and b"\r" not in text:
                texts.append(text.replace(b"\n", b"\r\n") if number % 3 == 0 else text)
                total += len(texts[-1])
            if total >= TOTAL_BYTES:
                break
    return b"\n".join(texts)


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def as_objects(data: bytes, *, ending: str) -> Corpus:
    """Cut `data` at line ends into four unequal objects, one of them gzip, and add an empty one."""
    cuts = [data.index(b"\n", int(len(data) * share)) + 1 for share in (0.1, 0.55, 0.8)]
    first, second, third, fourth = (data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True))
    return {
        f"a.{ending}": first,
        f"b.{ending}": second,
        f"c.{ending}.gz": gzip.compress(third, 6, mtime=0),
        f"d-empty.{ending}": b"",
        f"e-no-final-newline.{ending}": fourth.removesuffix(b"\n"),
    }


def decompressed(corpus: Corpus) -> list[bytes]:
    """Return the objects' contents, as a reader sees them."""
    return [gzip.decompress(data) if name.endswith(".gz") else data for name, data in corpus.items()]
