"""Reads a range in chunks, in order; threads fetch some of them ahead of the reader."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["CHUNK_BYTES", "stream_ranges"]

CHUNK_BYTES = 8 * 1024 * 1024


def stream_ranges(
    read: Callable[[int, int], bytes],
    start: int,
    end: int,
    *,
    chunk_bytes: int,
    read_ahead: int,
) -> Iterator[bytes]:
    """Yield `read(low, high)` for consecutive ranges from `start` to `end`; hold at most `read_ahead` + 1 chunks."""
    ranges = ((low, min(low + chunk_bytes, end)) for low in range(start, end, chunk_bytes))
    pending: deque[Future[bytes]] = deque()
    pool = ThreadPoolExecutor(max(read_ahead, 1), thread_name_prefix="read-ahead")
    try:
        for low, high in ranges:
            pending.append(pool.submit(read, low, high))
            if len(pending) > read_ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
