"""The event loop's threads, and how to wait for them.

Rule: cancelling a task does not stop its thread. To be sure that nothing is written any more, wait here.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

__all__ = ["drain_threads", "use_threads"]

THREADS = 32
"""Most of them wait for a store. All stores of a namespace hold at most a quarter, so that dead ones do not stop the
jobs of other namespaces; see `storage_gates`."""


def use_threads() -> ThreadPoolExecutor:
    """Give the running event loop new threads, and return them."""
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="operator")
    asyncio.get_running_loop().set_default_executor(threads)
    return threads


async def drain_threads(threads: ThreadPoolExecutor, seconds: float) -> bool:
    """Wait until nothing runs in `threads`, at most `seconds`. Return whether this succeeded.

    The event loop gets new threads, because it also uses threads to look up host names.
    """
    use_threads()
    try:
        await asyncio.wait_for(asyncio.to_thread(threads.shutdown, cancel_futures=True), seconds)
    except TimeoutError:
        return False
    return True
