"""Python files without YAML, as a person uses them: `podreduce run job.py`, `init`, `test`, and `podreduce.run`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.podreduce_command import COMMAND

SECONDS = 120
TEXT = "the quick fox\nthe lazy dog\nthe end\n"

WORDS = """
from helpers import split

class Words:
    def setup(self, context):
        self.least = int(context.parameters.get("least", "0"))
    def map_func(self, key, value):
        for word in split(value):
            if len(word) >= self.least:
                yield word, 1
    def reduce_func(self, key, values):
        yield key, sum(values)
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with a job, a module beside it, and an input; and another directory to work in."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "words.py").write_text(WORDS)
    (tmp_path / "jobs" / "helpers.py").write_text("def split(line):\n    return line.split()\n")
    (tmp_path / "in.txt").write_text(TEXT)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "work").mkdir()
    return tmp_path


def call(command: tuple[str, ...], directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "TMPDIR": str(directory.parent / "tmp")}
    return subprocess.run(
        [*command, *arguments],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def podreduce(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(COMMAND, here / "work", *arguments)


def read_output(directory: Path) -> dict[str, str]:
    lines = [line for part in sorted(directory.glob("part-*")) for line in part.read_text().splitlines()]
    return dict(line.split("\t") for line in lines)


def test_a_python_file_runs_with_the_modules_beside_it_from_anywhere(here: Path) -> None:
    ran = podreduce(here, "run", "../jobs/words.py", "../in.txt", "-o", "out", "-p", "least=4")
    assert ran.returncode == 0, ran.stderr
    assert read_output(here / "work" / "out") == {"quick": "1", "lazy": "1"}


def test_the_first_line_of_a_failure_is_the_error_at_its_place_in_the_file(here: Path) -> None:
    (here / "jobs" / "helpers.py").write_text("def split(line):\n    return line.split()[5]\n")
    ran = podreduce(here, "run", "../jobs/words.py", "../in.txt", "-o", "out")
    assert ran.returncode == 1
    lines = ran.stderr.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("failed: m-0")) + 1
    assert lines[first] == f"{here.resolve()}/jobs/helpers.py:2: IndexError: list index out of range"
    assert lines[first + 1].startswith("at the record: file://")
    assert lines[first + 2].startswith("what to do: ")
    assert '  File "../jobs/words.py", line 8, in map_func' in lines


def test_a_yaml_files_lines_are_those_of_the_yaml(here: Path) -> None:
    job = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceJob", "metadata": {"name": "bad"}}
    head = "".join(f"{name}: {json.dumps(value)}\n" for name, value in job.items())
    program = "      class Bad:\n        def map_func(self, key, value):\n          yield 1 / 0, 1\n"
    spec = f"spec:\n  program:\n    source: |\n{program}  input: {{uris: [../in.txt]}}\n  output: {{uri: out/}}\n"
    (here / "work" / "job.yaml").write_text(head + spec)
    ran = podreduce(here, "run", "job.yaml")
    assert "\njob.yaml:9: ZeroDivisionError: division by zero\nat the record: " in ran.stderr
    assert '  File "job.yaml", line 9, in map_func' in ran.stderr


def test_a_run_without_output_records_ends_with_a_warning(here: Path) -> None:
    (here / "jobs" / "words.py").write_text("class Words:\n    def map_func(self, key, value):\n        (value, 1)\n")
    ran = podreduce(here, "run", "../jobs/words.py", "../in.txt", "-o", "out")
    assert ran.returncode == 0
    assert "warning: the map yielded nothing for any of 3 records read" in ran.stdout


def test_a_starter_runs_agrees_and_passes_its_own_test(here: Path) -> None:
    written = podreduce(here, "init", "mine")
    assert written.returncode == 0, written.stderr
    assert podreduce(here, "validate", "mine/job.py").returncode == 0
    ran = podreduce(here, "run", "mine/job.py", "mine/sample.txt", "-o", "mine/counts/")
    assert ran.returncode == 0, ran.stderr
    assert read_output(here / "work" / "mine" / "counts")["the"] == "4"
    tested = call((sys.executable, "-m", "pytest"), here / "work" / "mine", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout
    again = podreduce(here, "init", "mine")
    assert (again.returncode, "mine/job.py exists already" in again.stderr) == (2, True)


UNSTABLE = {
    "the order of the values": (
        "    def reduce_func(self, key, values):\n        yield key, next(iter(values))\n",
        "yield 'all', (key, value)",
        None,
    ),
    "a set's order": ("", "yield next(iter(set(value.split()))), 1", "another hash seed"),
    "what an earlier record left": (
        "    seen = 0\n",
        "self.seen += 1; yield value, self.seen",
        "3 shards, 2 partitions",
    ),
}


@pytest.mark.parametrize(("more", "statement", "layout"), UNSTABLE.values(), ids=UNSTABLE)
def test_results_that_hang_on_the_layout_are_shown_by_their_first_difference(
    here: Path, more: str, statement: str, layout: str | None
) -> None:
    lines = "".join(f"{number} a b c d e\n" for number in range(60))
    (here / "in.txt").write_text(lines)
    program = f"class Job:\n{more}    def map_func(self, key, value):\n        {statement}\n"
    (here / "jobs" / "words.py").write_text(program)
    ran = podreduce(here, "test", "../jobs/words.py", "--input", "../in.txt")
    if layout is None:  # the first value of a key is always that of the first shard
        assert ran.returncode == 0, ran.stderr
        return
    assert ran.returncode == 1
    assert "the results do not agree; the first difference:\n  with 1 shard, 1 partition: " in ran.stderr
    assert f"\n  with {layout}: " in ran.stderr


def test_results_that_agree_are_said_to(here: Path) -> None:
    ran = podreduce(here, "test", "../jobs/words.py", "--input", "../in.txt", "-p", "least=4")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "../jobs/words.py: the results of all 5 runs agree"


SCRIPT = """
import podreduce
from helpers import split

class Words:
    def map_func(self, key, value):
        for word in split(value):
            yield word, 1
    def reduce_func(self, key, values):
        yield key, sum(values)

{guard}
    import asyncio
    {start}
    def main():
        result = podreduce.run(Words, inputs=["../in.txt"], output="out", progress=False)
        print(sorted(result.records())[-1], result.counters["podreduce"]["mapRecordsIn"], result.to_arrow().num_rows)
    {call}
"""
GUARDED = 'if __name__ == "__main__":'


@pytest.mark.parametrize(
    ("start", "call_"),
    [("", "main()"), ("async def notebook(): main()", "asyncio.run(notebook())")],
    ids=["script", "running-loop"],
)
def test_a_script_runs_its_class_also_where_an_event_loop_runs(here: Path, start: str, call_: str) -> None:
    (here / "jobs" / "script.py").write_text(SCRIPT.format(guard=GUARDED, start=start, call=call_))
    ran = call((sys.executable, "../jobs/script.py"), here / "work")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "('the', 3) 3 6\n"


def test_a_script_that_runs_itself_on_import_is_told_to_guard_the_call(here: Path) -> None:
    (here / "jobs" / "script.py").write_text(SCRIPT.format(guard="if True:", start="", call="main()"))
    ran = call((sys.executable, "../jobs/script.py"), here / "work")
    assert ran.returncode == 1
    assert 'put the call below if __name__ == "__main__":' in ran.stderr


def test_a_failed_run_raises_the_report(here: Path) -> None:
    (here / "jobs" / "helpers.py").write_text("def split(line):\n    return line.nothing\n")
    (here / "jobs" / "script.py").write_text(SCRIPT.format(guard=GUARDED, start="", call="main()"))
    ran = call((sys.executable, "../jobs/script.py"), here / "work")
    assert ran.returncode == 1
    assert "JobFailedError: " in ran.stderr
    assert "helpers.py:2: AttributeError: 'str' object has no attribute 'nothing'" in ran.stderr


def test_without_the_command_lines_packages_podreduce_run_says_what_to_install(here: Path) -> None:
    blocked = "import sys; sys.modules['yaml'] = None; import podreduce; podreduce.__version__; podreduce.run"
    ran = call((sys.executable, "-c", blocked), here / "work")
    assert ran.returncode == 1
    assert "podreduce.run needs yaml: pip install 'podreduce[cli]'" in ran.stderr
