"""The threads that the event loop gives work to, and their end.

Rule: cancelling a task does not reach its thread, so whoever must know that nothing is written any more waits here.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

__all__ = ["drain_threads", "use_threads"]


def use_threads() -> ThreadPoolExecutor:
    """Give the running event loop its threads and return them."""
    threads = ThreadPoolExecutor(thread_name_prefix="operator")
    asyncio.get_running_loop().set_default_executor(threads)
    return threads


async def drain_threads(threads: ThreadPoolExecutor, seconds: float) -> bool:
    """Wait until nothing runs in `threads` any more, `seconds` at most; return whether that is so.

    The event loop gets others, since it also looks up the names of hosts in threads.
    """
    use_threads()
    try:
        await asyncio.wait_for(asyncio.to_thread(threads.shutdown, cancel_futures=True), seconds)
    except TimeoutError:
        return False
    return True
