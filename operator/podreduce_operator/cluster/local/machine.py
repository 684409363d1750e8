"""This machine's memory and cores for local tasks, and the kernel's count of out-of-memory kills.

Linux reports these under /proc and /sys. On other systems half of the physical memory counts as free.
"""

import os
from pathlib import Path

__all__ = ["count_cores", "count_oom_kills", "share_memory_bytes"]

USABLE_FRACTION = 0.8
MIN_SHARE_BYTES = 256 * 2**20
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def share_memory_bytes(parallelism: int) -> int:
    """Return what each of `parallelism` processes may use: an equal share of what is free now, at least 256 MiB."""
    usable = min([free_memory_bytes(), *cgroup_limits_bytes()])
    return max(MIN_SHARE_BYTES, int(usable * USABLE_FRACTION) // max(1, parallelism))


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory_bytes() -> int:
    """Return the memory that is free without swapping, or half of the physical memory if this is unknown."""
    available = read_counter(Path("/proc/meminfo"), "MemAvailable:")
    if available is not None:
        return available * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def cgroup_limits_bytes() -> list[int]:
    """Return the memory limits of this process's container, if there are any."""
    return [int(text) for path in CGROUP_LIMITS if (text := read_text(path).strip()).isdecimal()]


def count_oom_kills() -> int | None:
    """Return how many processes the kernel has killed for lack of memory since boot, or None if unknown."""
    return read_counter(Path("/proc/vmstat"), "oom_kill")


def read_counter(path: Path, name: str) -> int | None:
    """Return the number after `name` in a file of `name number` lines."""
    for line in read_text(path).splitlines():
        words = line.split()
        if words[:1] == [name]:
            return int(words[1])
    return None


def read_text(path: Path) -> str:
    """Return the file's text; empty if it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
