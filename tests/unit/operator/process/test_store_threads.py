"""Blocking calls to stores that never answer, and what they leave to others."""

import asyncio
import threading

import pytest

from podreduce.storage import open_store
from podreduce_operator.process.threads import THREADS, use_threads

STORE_THREADS = 4


@pytest.mark.parametrize("dead", [1, 3, THREADS // STORE_THREADS - 1])
async def test_stores_that_hang_leave_threads_to_others(dead: int) -> None:
    use_threads()
    may_end = threading.Event()
    stores = [
        open_store(f"memory://dead-{number}/", threads=asyncio.Semaphore(STORE_THREADS)) for number in range(dead)
    ]
    hanging = [
        asyncio.create_task(store.in_thread(lambda: bool(may_end.wait()))) for store in stores for _ in range(20)
    ]
    await asyncio.sleep(0.05)
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "works"), 5) == "works"
    finally:
        may_end.set()
        await asyncio.gather(*hanging)
