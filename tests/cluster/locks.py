"""Lets one caller at a time at something that a machine has once: a cluster, a tool's directory, an image store.

Rule: the lock is the kernel's, so it ends with the process that holds it, however that ends.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def only_caller(lock: Path) -> Iterator[None]:
    """Wait until nobody else holds the lock, and hold it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
