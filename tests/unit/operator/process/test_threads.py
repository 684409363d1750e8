import asyncio
import threading

from podreduce_operator.process.threads import drain_threads, use_threads


async def test_draining_waits_for_what_a_cancelled_task_left_running() -> None:
    threads = use_threads()
    started, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        started.set()
        may_end.wait()
        ended.set()

    task = asyncio.create_task(asyncio.to_thread(write))
    while not started.is_set():  # noqa: ASYNC110 - a thread's event has nothing to await
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not await drain_threads(threads, 0.05)
    assert not ended.is_set()
    may_end.set()
    assert await drain_threads(threads, 10)
    assert ended.is_set()


async def test_the_event_loop_has_threads_afterwards() -> None:
    threads = use_threads()
    assert await drain_threads(threads, 10)
    assert await drain_threads(threads, 10), "twice is fine"
    assert await asyncio.to_thread(lambda: "works") == "works"
