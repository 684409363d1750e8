"""The comparison of the machine before and after finds each kind of thing that could be left: one of each is made."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.cluster import cgroups
from tests.cluster.kind import footprint

LEFT = "left-behind"
SETTING = "kernel/printk_ratelimit_burst"

pytestmark = [
    pytest.mark.kind,
    pytest.mark.skipif(os.uname().sysname != "Linux" or os.geteuid() != 0, reason="takes Linux and root"),
]


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)


@contextmanager
def process(_: Path) -> Iterator[str]:
    argv = ["unshare", "--net", "sh", "-c", "echo; read -r _"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout
        shell.stdout.readline()  # it is in its namespace
        yield f"processes: {shell.pid} sh"
        shell.kill()


@contextmanager
def mount(directory: Path) -> Iterator[str]:
    run("mount", "-t", "tmpfs", "tmpfs", directory)
    yield f"mounts: {directory}"
    run("umount", directory)


@contextmanager
def namespace(_: Path) -> Iterator[str]:
    run("ip", "netns", "add", LEFT)
    yield f"namespaces: {LEFT}"
    run("ip", "netns", "delete", LEFT)


@contextmanager
def group(_: Path) -> Iterator[str]:
    tree = cgroups.MOUNT if cgroups.is_unified() else cgroups.MOUNT / "pids"
    (tree / LEFT).mkdir()
    yield f"groups: {(tree / LEFT).relative_to(cgroups.MOUNT)}"
    (tree / LEFT).rmdir()


@contextmanager
def link(_: Path) -> Iterator[str]:
    run("ip", "link", "add", LEFT, "type", "bridge")
    yield f"links: {LEFT}"
    run("ip", "link", "delete", LEFT)


@contextmanager
def setting(_: Path) -> Iterator[str]:
    file = footprint.SYSCTLS / SETTING
    was = file.read_text().strip()
    file.write_text(f"1{was}")
    yield f"sysctls: {SETTING} was {was!r} and is '1{was}'"
    assert footprint.restore_sysctls({SETTING: was}) == [SETTING]


@pytest.mark.parametrize("leave", [process, mount, namespace, group, link, setting])
def test_what_is_left_is_named_until_it_is_gone(
    leave: Callable[[Path], AbstractContextManager[str]], tmp_path: Path
) -> None:
    before = footprint.take()
    with leave(tmp_path) as change:
        assert change in footprint.changes(before, footprint.take())
    assert change not in footprint.changes(before, footprint.take())


def test_a_group_that_another_program_makes_in_its_own_is_not_named() -> None:
    tree = cgroups.MOUNT if cgroups.is_unified() else cgroups.MOUNT / "memory"
    (tree / LEFT).mkdir()
    try:
        before = footprint.take()
        (tree / LEFT / "a").mkdir()
        came = footprint.changes(before, footprint.take())
    finally:
        (tree / LEFT / "a").rmdir()
        (tree / LEFT).rmdir()
    assert not [change for change in came if LEFT in change]
