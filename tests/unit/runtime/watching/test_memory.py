"""The limit is the cgroup's, of either version; else the setting; else a share of the machine."""

import mmap
import os
from pathlib import Path

import pytest

from podreduce.watching.memory import buffer_budget_bytes, memory_limit_bytes, resident_bytes

MIB = 1 << 20
MACHINE = 8192 * MIB
UNLIMITED_V1 = "9223372036854771712"


def make_machine(root: Path, groups: str, files: dict[str, str]) -> dict[str, Path]:
    """A machine of 8 GiB: /proc/self/cgroup holds `groups`, the cgroup mount holds `files`."""
    proc, cgroup = root / "proc", root / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal:       {MACHINE // 1024} kB\nMemFree: 1 kB\n")
    (proc / "self/cgroup").write_text(groups)
    for name, text in files.items():
        path = cgroup / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"cgroup_root": cgroup, "proc": proc}


V1 = "11:memory:/pod/task\n3:cpu,cpuacct:/\n"
SHARE = MACHINE // 2 // (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("groups", "files", "setting", "limit"),
    [
        ("0::/\n", {"memory.max": f"{256 * MIB}\n"}, None, 256 * MIB),
        ("0::/\n", {"memory.max": "max\n"}, 512 * MIB, 512 * MIB),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": f"{300 * MIB}"}, None, 300 * MIB),
        ("0::/a/b\n", {"a/b/memory.max": f"{200 * MIB}", "a/memory.max": f"{300 * MIB}"}, None, 200 * MIB),
        ("0::/on/the/host\n", {"memory.max": f"{256 * MIB}"}, None, 256 * MIB),
        (V1, {"memory/pod/task/memory.limit_in_bytes": f"{128 * MIB}"}, None, 128 * MIB),
        (V1, {"memory/memory.limit_in_bytes": f"{64 * MIB}"}, None, 64 * MIB),
        (V1, {"memory/memory.limit_in_bytes": UNLIMITED_V1}, 512 * MIB, 512 * MIB),
        ("0::/\n" + V1, {"memory.max": f"{256 * MIB}", "memory/memory.limit_in_bytes": "1"}, None, 256 * MIB),
        ("0::/x\n" + V1, {"memory/memory.limit_in_bytes": f"{64 * MIB}"}, None, 64 * MIB),
        ("0::/\n", {"memory.max": f"{256 * MIB}"}, 128 * MIB, 128 * MIB),
        ("0::/\n", {"memory.max": f"{256 * MIB}"}, 512 * MIB, 256 * MIB),
        ("0::/\n", {}, None, SHARE),
        ("", {}, 64 * MIB, 64 * MIB),
    ],
    ids=[
        "v2", "v2 without limit", "v2 from above", "v2 own group is less", "v2 with the host's path", "v1",
        "v1 with the host's path", "v1 without limit", "v2 before v1", "v1 beside an empty v2", "a smaller setting",
        "a larger setting", "a share of the machine", "no cgroups",
    ],
)  # fmt: skip
def test_the_limit_is_found(
    tmp_path: Path, groups: str, files: dict[str, str], setting: int | None, limit: int
) -> None:
    assert memory_limit_bytes(setting, **make_machine(tmp_path, groups, files)) == limit


def test_a_machine_without_proc_still_has_a_limit(tmp_path: Path) -> None:
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    limit = memory_limit_bytes(None, cgroup_root=tmp_path / "none", proc=tmp_path / "none")
    assert limit == pages * page_bytes // 2 // (os.cpu_count() or 1)


def test_the_budget_is_60_percent_less_what_is_in_use() -> None:
    assert buffer_budget_bytes(1000 * MIB, in_use=100 * MIB) == 500 * MIB


def test_the_budget_has_a_floor() -> None:
    assert buffer_budget_bytes(64 * MIB, in_use=100 * MIB) == 16 * MIB


def test_resident_memory_grows_with_what_is_held() -> None:
    before = resident_bytes()
    with mmap.mmap(-1, 64 * MIB) as held:  # not what other tests have left of the heap
        held.write(bytes(64 * MIB))
        assert resident_bytes() - before > 32 * MIB
