"""`podreduce replay` as a person starts it, after a local run that failed; the debugger in a terminal of its own."""

import os
import pty
import re
import subprocess
import time
from pathlib import Path

from tests.support.podreduce_command import COMMAND

SECONDS = 120
PROGRAM = """
from limits import LIMIT

class Sums:
    def map_func(self, key, value):
        yield int(value) % 3, int(value)

    def reduce_func(self, key, values):
        total = 0
        for value in values:
            total += value // (value - LIMIT)
        yield key, total
"""


def run(here: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (here / "tmp").mkdir(exist_ok=True)
    environ = {**os.environ, "TMPDIR": str(here / "tmp"), "XDG_STATE_HOME": str(here / "state")}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=here, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def debug(here: Path, command: list[str], said: str) -> str:
    """Run a command in a terminal, say something to its debugger, and return all that it printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(here)
        os.execv(COMMAND[0], [*COMMAND, *command])  # noqa: S606 - this is the process of the terminal
    deadline, printed = time.monotonic() + SECONDS, ""
    told = False
    while time.monotonic() < deadline:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # its end
            break
        printed += data.decode()
        if not told and "(Pdb)" in printed:
            os.write(terminal, said.encode())
            told = True
    os.waitpid(pid, 0)
    os.close(terminal)
    return printed


def test_the_task_that_failed_fails_again_here_with_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text(PROGRAM)
    (tmp_path / "limits.py").write_text("LIMIT = 50\n")
    (tmp_path / "numbers.txt").write_text("".join(f"{number}\n" for number in range(100)))
    shards = ("--set", "spec.map.shards=2", "--set", "spec.reduce.partitions=1")
    failed = run(tmp_path, "run", "sums.py", "numbers.txt", "-o", "out", *shards)
    assert failed.returncode == 1
    command = re.search(r"the same task again, in a debugger: podreduce (replay \S+ r-0 --maps --pdb)", failed.stderr)
    assert command is not None, failed.stderr
    words = command[1].split()

    without_maps = run(tmp_path, "replay", words[1])
    assert without_maps.returncode == 1
    assert "the intermediate data that it read is gone (2 of 2 maps)" in without_maps.stderr

    (named,) = run(tmp_path, "list", "local", "-o", "name").stdout.split()
    status = run(tmp_path, "status", named)
    assert status.stdout.splitlines()[-1] == f"the failed task again: podreduce replay {named} r-0 --maps --pdb"
    logs = run(tmp_path, "logs", "local/sums", "r-0")
    assert (logs.returncode, "ZeroDivisionError" in logs.stdout) == (0, True), logs.stderr

    again = run(tmp_path, "replay", named, *words[2:-1])
    assert (again.returncode, "the same as recorded" in again.stdout) == (1, True), again.stderr
    traceback = again.stdout[again.stdout.index("Traceback") :]
    assert traceback in failed.stderr
    assert "in reduce_func" in traceback

    shown = debug(tmp_path, words, "p value, total\nq\n")
    assert "-> total += value // (value - LIMIT)" in shown
    assert re.search(r"\(50, -?\d+\)", shown)
    assert not (tmp_path / "out").exists()
