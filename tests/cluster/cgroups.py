"""A node's control groups, on cgroup v1 (one tree a controller) and v2 (one tree).

Rule: everything a node runs is below the node's group, its daemons in `system` and its pods in `kubepods`; so killing
what the group holds kills the node, and removing the group leaves nothing.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
PREFIX = "podreduce-"


def is_unified() -> bool:
    """Tell whether the machine has cgroup v2 alone."""
    return (MOUNT / "cgroup.controllers").exists()


def create(group: str) -> Path:
    """Create a node's group with its `system` child; return the file that takes a pid into that child."""
    for tree in _trees():
        directory = tree / group
        directory.mkdir(exist_ok=True)
        if is_unified():
            _enable_all_controllers(tree)
            _enable_all_controllers(directory)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not is_unified() and (tree / name).exists():
                (directory / name).write_text((tree / name).read_text())
    system = _killing_tree() / group / "system"
    system.mkdir(exist_ok=True)
    return system / "cgroup.procs"


def processes(group: str) -> list[int]:
    """Return the ids of all processes below a group."""
    top = _killing_tree() / group
    return [int(pid) for file in top.rglob("cgroup.procs") for pid in file.read_text().split()]


def kill(group: str) -> None:
    """Kill every process below a group, and wait until none is left."""
    deadline = time.monotonic() + 20
    while (held := processes(group)) and time.monotonic() < deadline:
        for pid in held:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def groups() -> list[str]:
    """Name the harness's groups that exist."""
    return sorted({path.name for tree in _trees() for path in tree.glob(f"{PREFIX}*")})


def below(group: str) -> list[str]:
    """Name the directories of a group and of those within it, in every tree."""
    return [str(path) for tree in _trees() if (top := tree / group).exists() for path in (top, *top.rglob("*/"))]


def remove(group: str) -> None:
    """Remove a group that holds no process, children first."""
    for tree in _trees():
        for directory, _, _ in os.walk(tree / group, topdown=False):
            _remove_directory(Path(directory))


def _remove_directory(directory: Path) -> None:
    """Remove a group's directory; for a moment after its last process died the kernel calls it busy."""
    for _ in range(100):
        try:
            directory.rmdir()
        except OSError:
            time.sleep(0.05)
        else:
            return
    directory.rmdir()


def _trees() -> Iterator[Path]:
    if is_unified():
        yield MOUNT
        return
    yield from (path for path in MOUNT.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink())


def _killing_tree() -> Path:
    return MOUNT if is_unified() else MOUNT / "pids"


def _enable_all_controllers(directory: Path) -> None:
    available = (directory / "cgroup.controllers").read_text().split()
    (directory / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in available))
