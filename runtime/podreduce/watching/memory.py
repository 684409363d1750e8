"""How much memory a task may use, and how much it does.

A pod's limit is its cgroup's, whichever version; a local process has none and is given one. Rule: no imports beyond
the standard library, and nothing here fails: what cannot be read does not count.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["buffer_budget_bytes", "memory_limit_bytes", "resident_bytes"]

BUDGET_SHARE: Final = 0.6
LEAST_BUDGET: Final = 16 << 20
"""Below this a task would only spill; it is what a limit under about 128 MiB gets."""

CGROUP_ROOT: Final = Path("/sys/fs/cgroup")
PROC: Final = Path("/proc")


def memory_limit_bytes(setting: int | None, *, cgroup_root: Path = CGROUP_ROOT, proc: Path = PROC) -> int:
    """Return how much memory this process may use.

    The cgroup's limit (v2 `memory.max`, else v1 `memory.limit_in_bytes`; the smallest from the process's own group
    up), else `setting`, else half the machine divided by its processors. A `setting` under the cgroup's limit counts:
    local tasks in one container share that.
    """
    machine = machine_bytes(proc)
    limits = [limit for limit in cgroup_limits(cgroup_root, proc) if limit < machine]
    if setting:
        limits.append(setting)
    return min(limits, default=machine // 2 // (os.cpu_count() or 1))


def resident_bytes() -> int:
    """Return what this process has in memory now; 0 where there is no /proc."""
    try:
        pages = (PROC / "self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def buffer_budget_bytes(limit: int, *, in_use: int | None = None) -> int:
    """Return what buffers may take: 60 % of `limit` less what is `in_use` (by default, now), at least 16 MiB.

    The rest is for what Python holds beyond its objects' sizes, the record at hand, and requests under way.
    """
    used = resident_bytes() if in_use is None else in_use
    return max(int(limit * BUDGET_SHARE) - used, LEAST_BUDGET)


def machine_bytes(proc: Path) -> int:
    """Return the machine's memory."""
    try:
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))


def cgroup_limits(root: Path, proc: Path) -> Iterator[int]:
    """Yield the limits that hold for this process, of version 2 if it has any, else of version 1."""
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

    In a container the path may be the host's, which does not exist inside: then the mount itself is the group.
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
