import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.watching.printed import KEPT_BYTES, Printed, copy_log, copy_stream


def told(*chunks: bytes) -> bytes:
    printed = Printed()
    for chunk in chunks:
        printed.add(chunk)
    return printed.tail()


@pytest.mark.parametrize(
    ("size", "expected"),
    [(KEPT_BYTES - 1, KEPT_BYTES - 1), (KEPT_BYTES, KEPT_BYTES), (KEPT_BYTES + 1, KEPT_BYTES)],
)
def test_of_one_long_line_the_end_is_kept(size: int, expected: int) -> None:
    assert told(b"x" * size) == b"x" * expected


@given(st.lists(st.integers(0, 3 * KEPT_BYTES), max_size=30))
def test_the_last_whole_lines_are_kept(lengths: list[int]) -> None:
    lines = [b"%d" % (number % 10) * length + b"\n" for number, length in enumerate(lengths)]
    tail, whole = told(*lines), b"".join(lines)
    assert len(tail) <= KEPT_BYTES
    assert whole.endswith(tail)
    if len(whole) <= KEPT_BYTES:
        assert tail == whole
    elif lines[-1] and len(lines[-1]) <= KEPT_BYTES:
        starts = [len(whole) - sum(map(len, lines[number:])) for number in range(len(lines))]
        fitting = [start for start in starts if len(whole) - start <= KEPT_BYTES]
        assert len(whole) - len(tail) in {fitting[0], *(start for start in starts if start > len(whole) - KEPT_BYTES)}


def test_nothing_is_held_beyond_twice_what_is_kept() -> None:
    printed = Printed()
    for _ in range(10_000):
        printed.add(b"x" * 1000 + b"\n")
    assert sum(map(len, printed._chunks)) <= 2 * KEPT_BYTES + 1001  # noqa: SLF001 - what it holds


def test_a_stream_writes_where_it_wrote_and_copies(tmp_path: Path) -> None:
    printed, path = Printed(), tmp_path / "out"
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        stream = copy_stream(file, printed)
        print("café", file=stream)
        stream.buffer.write(b"bytes\n")
        os.write(stream.fileno(), b"past Python\n")
        stream.write("\ud800\n")
        assert (stream.encoding, stream.errors, stream.isatty()) == ("utf-8", "backslashreplace", False)
    assert path.read_bytes() == "café\nbytes\npast Python\n\\ud800\n".encode()
    assert printed.tail() == "café\nbytes\n\\ud800\n".encode()


def test_the_programs_own_log_lines_count_and_podreduces_do_not() -> None:
    def process(**fields: object) -> None:
        copy_log(lambda _, __, given: str(given["event"]), printed)(None, "info", fields)

    printed = Printed()
    process(event="progress")
    process(event="task committed")
    assert (printed.has_any, printed.tail()) == (False, b"task committed\n")
    process(event="progress", logger="program")
    assert (printed.has_any, printed.tail()) == (True, b"task committed\nprogress\n")


def test_all_is_written_although_the_reader_is_slow_and_nobody_may_block() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    printed, received = Printed(), bytearray()

    def read() -> None:
        while data := os.read(reading, 5000):
            received.extend(data)

    with os.fdopen(writing, "w") as writer:
        thread = threading.Thread(target=read)
        thread.start()
        copy_stream(writer, printed).write("x" * 1_000_000)
    thread.join()
    os.close(reading)
    assert received == b"x" * 1_000_000
    assert printed.tail() == b"x" * KEPT_BYTES
