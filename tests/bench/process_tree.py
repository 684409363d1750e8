"""The processes below a process, the memory they hold, and the processor time of one, from /proc.

Rule: a process that goes while it is looked at counts as gone. Resident memory is summed, so pages that processes
share count once for each: that is what a container's kernel would not do, but the proportional share takes so long to
read for a large process that it slows what is measured.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["cpu_seconds", "list_descendants", "resident_bytes"]

PROC: Final = Path("/proc")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def list_descendants(root: int) -> list[int]:
    """Return the processes that `root` has started, directly or not, and that are still there."""
    return find_descendants(root, dict(read_parents()))


def find_descendants(root: int, parents: Mapping[int, int]) -> list[int]:
    """Return what stands below `root` in a table of process → parent."""
    found, added = [root], [root]
    while added:
        added = [process for process, parent in parents.items() if parent in added]
        found += added
    return found[1:]


def read_parents() -> Iterator[tuple[int, int]]:
    """Yield each process with its parent; the command's name may hold spaces and parentheses."""
    for name in os.listdir(PROC):  # noqa: PTH208 - many times a second
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - likewise
                yield int(name), int(file.read().rpartition(b")")[2].split()[1])


def resident_bytes(process: int) -> int:
    """Return what the process has in memory; 0 once it is gone."""
    try:
        with open(f"/proc/{process}/statm", "rb") as file:  # noqa: PTH123 - many times a second
            return int(file.read().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


def cpu_seconds(process: int) -> float:
    """Return the processor time, user and system, that a process has taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
