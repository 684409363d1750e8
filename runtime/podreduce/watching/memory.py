"""How much memory a task may use, and how much it uses.

A pod's limit is its cgroup's, of either version; a local process has none, so it is given one. Rule: no imports beyond
the standard library, and nothing here fails: unreadable files are ignored.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["buffer_budget_bytes", "leave_room", "memory_limit_bytes", "resident_bytes", "shared_bytes"]

BUDGET_SHARE: Final = 0.6
LEAST_BUDGET: Final = 16 << 20
"""A smaller buffer would only spill; limits below about 128 MiB get this."""

CGROUP_ROOT: Final = Path("/sys/fs/cgroup")
PROC: Final = Path("/proc")


def memory_limit_bytes(setting: int | None, *, cgroup_root: Path = CGROUP_ROOT, proc: Path = PROC) -> int:
    """Return how much memory this process may use.

    The cgroup's limit (v2 `memory.max`, else v1 `memory.limit_in_bytes`; the smallest from the process's own group
    up); else `setting`; else half the machine's memory divided by its processors. A `setting` below the cgroup's limit
    wins: local tasks in one container share that limit.
    """
    machine = machine_bytes(proc)
    limits = [limit for limit in cgroup_limits(cgroup_root, proc) if limit < machine]
    if setting:
        limits.append(setting)
    return min(limits, default=machine // 2 // (os.cpu_count() or 1))


def resident_bytes() -> int:
    """Return how much memory this process uses now; 0 without /proc."""
    return read_statm(1)


def shared_bytes() -> int:
    """Return how much of it are pages of files, which other processes may share; 0 without /proc."""
    return read_statm(2)


def read_statm(field: int) -> int:
    """Return a field of the process's memory statistics in bytes; 0 without /proc."""
    try:
        pages = (PROC / "self/statm").read_text().split()[field]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def buffer_budget_bytes(limit: int, *, in_use: int | None = None) -> int:
    """Return how much memory buffers may use: 60 % of `limit` minus `in_use` (default: now), at least 16 MiB.

    The rest is a reserve for Python's overhead, the current record, and open requests.
    """
    used = resident_bytes() if in_use is None else in_use
    return max(int(limit * BUDGET_SHARE) - used, LEAST_BUDGET)


def leave_room(budget_bytes: int, needed_bytes: int) -> int:
    """Return a budget less what something else is going to need, unless too little would remain."""
    return budget_bytes - min(needed_bytes, max(budget_bytes - LEAST_BUDGET, 0))


def machine_bytes(proc: Path) -> int:
    """Return the machine's memory."""
    try:
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))


def cgroup_limits(root: Path, proc: Path) -> Iterator[int]:
    """Yield the limits that apply to this process, of version 2 if it has any, else of version 1."""
    groups = read_groups(proc)
    for mount, name, path in (
        (root, "memory.max", groups.get("")),
        (root / "memory", "memory.limit_in_bytes", groups.get("memory")),
    ):
        limits = list(limits_upwards(mount, name, path)) if path is not None else []
        yield from limits
        if limits:
            return


def read_groups(proc: Path) -> dict[str, str]:
    """Return controller → path of this process's cgroups; version 2 has the empty name."""
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return {}
    entries = [line.split(":", 2) for line in lines]
    return {controller: path for _, controllers, path in entries for controller in controllers.split(",")}


def limits_upwards(mount: Path, name: str, path: str) -> Iterator[int]:
    """Yield the limits from the process's group up to the mount.

    In a container the path may be the host's and not exist inside: then the mount itself is the group.
    """
    group = mount / path.lstrip("/")
    for directory in (group, *group.parents):
        if directory.is_relative_to(mount):
            try:
                text = (directory / name).read_text().strip()
            except OSError:
                continue
            if text != "max":
                yield int(text)
