"""Every command about a run of this machine that goes on, failed or is complete, of a job and of a pipeline, whole."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from podreduce_operator.cli.cluster.commands import COMMANDS
from tests.support.podreduce_command import COMMAND
from tests.support.transcripts import play, read_commands

SECONDS = 120
TRANSCRIPTS = Path(__file__).parent / "transcripts"
RUNS = ("job-running", "job-failed", "job-complete", "pipeline-failed", "pipeline-complete")

JOB = """\
import time


class Lengths:
    def map_func(self, key, line):
        for word in line.split():
            print("seen", word)
            while word == "wait":
                time.sleep(0.05)
            yield len(word), 12 // (4 - len(word))

    def reduce_func(self, length, numbers):
        yield length, sum(numbers)
"""
PIPELINE = """\
apiVersion: podreduce.dev/v1beta1
kind: MapReducePipeline
metadata: {name: web}
spec:
  program:
    source: |
      class Words:
          def map_func(self, key, line):
              for word in line.split():
                  yield word, 1

          def reduce_func(self, word, counts):
              print("reduced", word)
              yield word, sum(counts)

      class Lengths:
          def map_func(self, word, count):
              yield len(word), 12 // (4 - len(word))

          def reduce_func(self, length, numbers):
              yield length, sum(numbers)
  steps:
    - {name: words, className: Words, inputs: [{uris: [in.txt]}]}
    - {name: lengths, className: Lengths, inputs: [{from: words}], output: {uri: lengths/}}
    - {name: last, className: Words, inputs: [{from: lengths}], output: {uri: last/}}
"""
CHANGING = {
    re.compile(r"podreduce-run-[a-z0-9_]{8}"): "WORK",
    re.compile(r"(my-job|web)-[a-z0-9_]{8}\b(?!-m-|-r-)"): r"\1-XXXXXXXX",
    re.compile(r"-[0-9a-f]{10}\b"): "-HASH",
    re.compile(r"local-[0-9a-f]{8}/"): "local-HASH/",
    re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"): "UID",
    re.compile(r"\b\d\d:\d\d:\d\d\b"): "CLOCK",
    re.compile(r"\b(for|in|after|took) (\d+ min )?[\d.]+ s"): r"\1 A WHILE",
    re.compile(r"(?m)^\d+[smh]( +)(?=Normal|Warning)"): r"NOW\1",
    re.compile(r"(?m), (\d+ min )?[\d.]+ s$"): ", A WHILE",
    re.compile(r"(?m)\b\d+[smh] +\d+[smh]$"): "NOW     NOW",
    re.compile(r"kill -INT \d+"): "kill -INT PROCESS",
    re.compile(r"(?m)^(LAST SEEN|NOW) +"): r"\1   ",
}
"""What differs from run to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory of somebody who types commands."""

    path: Path

    def environ(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.path / "tmp"), "XDG_STATE_HOME": str(self.path / "state")}

    def types(self, words: Sequence[str]) -> tuple[int, str, str]:
        """Run a command, and return its exit code and what it printed, without what differs from run to run."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.path,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, self.plain(done.stdout), self.plain(done.stderr)

    def plain(self, text: str) -> str:
        text = text.replace(str(self.path), "HERE")
        for pattern, shown in CHANGING.items():
            text = pattern.sub(shown, text)
        return text

    def has(self, words: str) -> None:
        (self.path / "in.txt").write_text(words)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "my_job.py").write_text(JOB)
    (tmp_path / "web.yaml").write_text(PIPELINE)
    return Place(path=tmp_path)


@contextmanager
def run_of(place: Place, name: str) -> Iterator[None]:
    """Have a run: one that goes on is interrupted at the end."""
    kind, _, state = name.partition("-")
    place.has({"failed": "a bb dddd", "running": "a wait"}.get(state, "a bb ccc"))
    command = ("run", "my_job.py", "in.txt", "-o", "out") if kind == "job" else ("run", "web.yaml")
    if state != "running":
        assert place.types(command)[0] == (1 if state == "failed" else 0)
        yield
        return
    with subprocess.Popen(
        [*COMMAND, *command], cwd=place.path, env=place.environ(), stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        try:
            while "seen wait" not in running.stderr.readline():
                assert running.poll() is None
            yield
        finally:
            running.send_signal(signal.SIGINT)
            told = running.communicate(timeout=SECONDS)[1]
    assert "interrupted: no output was written" in told


@pytest.mark.parametrize("name", RUNS)
def test_every_command_about_a_local_run_prints_what_its_transcript_has(place: Place, name: str) -> None:
    expected = (TRANSCRIPTS / f"local-{name}.txt").read_text(encoding="utf-8")
    with run_of(place, name):
        assert play(expected, place.types) == expected


def test_each_transcript_has_every_command() -> None:
    for name in RUNS:
        typed = read_commands((TRANSCRIPTS / f"local-{name}.txt").read_text(encoding="utf-8"))
        missing = set(COMMANDS) - {command.split()[0] for command in typed}
        assert missing <= {"rerun"}, f"{name}: the progress of another run is shown by a test of its own"


def test_a_run_is_run_again_with_its_file_as_it_is_now(place: Place, tmp_path: Path) -> None:
    with run_of(place, "job-failed"):
        place.has("a bb ccc")
        elsewhere = Place(path=tmp_path)
        (tmp_path / "elsewhere").mkdir()
        done = subprocess.run(
            [*COMMAND, "rerun", "local/my-job"],
            cwd=tmp_path / "elsewhere",
            env=elsewhere.environ(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == f"in {tmp_path}: podreduce run my_job.py in.txt -o out"
    assert place.types(("output", "out/"))[1] == "1\t4\n2\t6\n3\t12\n"
    assert place.types(("rerun", "local/my-job"))[0] == 1, "its output is there"
    assert place.types(("rerun", "local/my-job", "--replace"))[0] == 0
    listed = [line.split()[1] for line in place.types(("list", "local"))[1].splitlines()[1:]]
    assert listed == ["Complete", "Failed", "Complete", "Failed"]


def test_a_pipeline_is_run_again(place: Place) -> None:
    with run_of(place, "pipeline-failed"):
        place.has("a bb ccc")
        code, _, told = place.types(("rerun", "local/web"))
    assert (code, told.splitlines()[0]) == (0, "in HERE: podreduce run web.yaml")
    assert place.types(("output", "local/web", "--step", "lengths"))[1] == "1\t4\n2\t6\n3\t12\n"
