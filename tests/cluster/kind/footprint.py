"""What a machine looks like from outside: processes in other namespaces, mounts, namespaces, groups, links, sysctls.

Rule: only what stays as it is when nobody does anything; and nothing of the harness, which may run at the same time.
Two of these, taken before and after, tell what was left behind.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from tests.cluster import cgroups
from tests.cluster.kind.places import DATA, STATE
from tests.cluster.paths import cache_directory

SYSCTLS = Path("/proc/sys")
OF_THE_HARNESS = "podreduce-"
OF_THE_ENGINE = ("dockerd", "slirp4netns", "unshare")
NO_SETTINGS = ("kernel/ns_last_pid", "kernel/random/", "fs/binfmt_misc/")
OF_ONE_INTERFACE = re.compile(r"net/\w+/(?:conf|neigh)/(?!all/|default/)")
DIRECTORIES = (Path("/lib/modules"), STATE, DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What was found, each kind by the names that people know it by."""

    processes: frozenset[str]
    mounts: frozenset[str]
    namespaces: frozenset[str]
    groups: frozenset[str]
    links: frozenset[str]
    directories: frozenset[str]
    sysctls: Mapping[str, str]


def take() -> Footprint:
    """Look at the machine as it is now."""
    return Footprint(
        processes=frozenset(_processes_elsewhere()),
        mounts=frozenset(_mounts()),
        namespaces=frozenset(_names(Path("/run/netns"))),
        groups=frozenset(_groups()),
        links=frozenset(_names(Path("/sys/class/net"))),
        directories=frozenset(str(path) for path in DIRECTORIES if path.exists()),
        sysctls=read_sysctls(),
    )


def changes(before: Footprint, after: Footprint) -> list[str]:
    """Say what came, what went and which settings differ. Processes may end, and a group with its last process."""
    kinds = [kind.name for kind in fields(Footprint) if kind.name != "sysctls"]
    came = [f"{kind}: {name}" for kind in kinds for name in sorted(getattr(after, kind) - getattr(before, kind))]
    lasting = [kind for kind in kinds if kind not in {"processes", "groups"}]
    went = [
        f"{kind}: {name} is gone" for kind in lasting for name in sorted(getattr(before, kind) - getattr(after, kind))
    ]
    return [*came, *went] + [
        f"sysctls: {name} was {value!r} and is {after.sysctls.get(name)!r}"
        for name, value in sorted(before.sysctls.items())
        if after.sysctls.get(name) != value
    ]


def read_sysctls() -> dict[str, str]:
    """Read the settings that can be written: the others are counters."""
    found = {}
    for directory, _, names in os.walk(SYSCTLS):
        for name in names:
            path = Path(directory) / name
            if is_setting(str(path.relative_to(SYSCTLS))) and path.stat().st_mode & 0o200:
                try:
                    found[str(path.relative_to(SYSCTLS))] = path.read_text().strip()
                except (OSError, UnicodeDecodeError):  # some can be written only, some only by a kernel of another kind
                    continue
    return found


def is_setting(name: str) -> bool:
    """Tell whether a sysctl is a setting that lasts, of more than one network interface."""
    return not name.startswith(NO_SETTINGS) and OF_ONE_INTERFACE.match(name) is None


def restore_sysctls(before: Mapping[str, str]) -> list[str]:
    """Give the machine its settings back; name those that had changed."""
    now = read_sysctls()
    changed = [name for name, value in before.items() if name in now and now[name] != value]
    for name in changed:
        (SYSCTLS / name).write_text(before[name])
    return changed


def _processes_elsewhere() -> Iterator[str]:
    """Name the engine's, and those in other network namespaces than this one, but for the harness's and its pods'."""
    harness = {_namespace(path) for path in Path("/run/netns").glob(f"{OF_THE_HARNESS}*")}
    here = _namespace(Path("/proc/self/ns/net"))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            namespace = _namespace(process / "ns" / "net")
            name = (process / "comm").read_text().strip()
            of_the_harness = namespace in harness or _is_of_the_harness((process / "cgroup").read_text())
            if name in OF_THE_ENGINE or (namespace != here and not of_the_harness):
                yield f"{process.name} {name}"
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def _namespace(path: Path) -> int:
    return path.stat().st_ino


def _is_of_the_harness(groups: str) -> bool:
    return f":/{OF_THE_HARNESS}" in groups


def _mounts() -> Iterator[str]:
    """Name the places where something is mounted, but for the harness's and those of image builds."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = line.split()[4]
        if f"/{OF_THE_HARNESS}" not in place and not place.startswith(str(cache_directory())):
            yield place


def _groups() -> Iterator[str]:
    """Name the groups directly below each tree: within their own, other programs make some at any time."""
    for group in cgroups.MOUNT.glob("*/" if cgroups.is_unified() else "*/*/"):
        if not group.name.startswith(OF_THE_HARNESS):
            yield str(group.relative_to(cgroups.MOUNT))


def _names(directory: Path) -> Iterator[str]:
    if directory.is_dir():
        yield from (path.name for path in directory.iterdir() if not path.name.startswith(OF_THE_HARNESS.rstrip("-")))
