"""The files that a program writes beside its part: staged when it has ended, and committed with the task."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from podreduce.contract.errors import ProgramError, ProgramInvalidError
from podreduce.contract.output_files import MOST_FILES_OF_TASK, FileRef
from podreduce.contract.task import CommitRecord
from podreduce.task import output_files as module
from tests.support.task_runs import TaskRun

JOB = """
class Job:
    def setup(self, context):
        self.context = context
        {setup}
    def map_func(self, key, value):
        {map}
        yield value, 1
    {reduce}
    def teardown(self):
        {teardown}
"""
REDUCE = "def reduce_func(self, key, values):\n        {}\n        yield key, sum(values)"
WRITE = "self.context.output_file({!r}).write_text({!r})"


def make_run(directory: Path, *, reduce: str | None = None, **parts: Any) -> TaskRun:
    """A run of one map; without `reduce` it is map-only."""
    lines = dict.fromkeys(("setup", "map", "teardown"), "pass") | parts
    reduces = "" if reduce is None else REDUCE.format(reduce)
    return TaskRun(
        source=JOB.format(reduce=reduces, **lines),
        objects={"x": b"a\nb\n"},
        partitions=0 if reduce is None else 1,
        scratch_directory=str(directory),
    )


def contents(run: TaskRun, record: CommitRecord) -> dict[str, bytes]:
    """The staged files by name, with what their references say of them checked."""
    found = {each.name: run.output.get(each.key) for each in record.files}
    for each in record.files:
        data = found[each.name]
        assert each == FileRef(name=each.name, key=each.key, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    return found


@pytest.mark.parametrize("where", ["setup", "map", "teardown"])
def test_a_map_of_a_job_without_a_reduce_writes_files_at_any_time(where: str, tmp_path: Path) -> None:
    run = make_run(tmp_path, **{where: WRITE.format("plots/a.html", "text")})
    record = run.map(0)
    assert contents(run, record) == {"plots/a.html": b"text"}
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("where", ["reduce", "teardown"])
def test_a_reduce_writes_files_beside_its_part(where: str, tmp_path: Path) -> None:
    line = f"if self.context.task == 'r-0': {WRITE.format('report.html', 'text')}"
    run = make_run(tmp_path, **{"reduce": "pass", where: line})
    [record] = run.run()
    assert contents(run, record) == {"report.html": b"text"}
    assert run.lines_of([record]) == ["a\t1", "b\t1"]


@pytest.mark.parametrize("where", ["setup", "map", "teardown"])
def test_a_map_of_a_job_with_a_reduce_has_no_files(where: str, tmp_path: Path) -> None:
    run = make_run(tmp_path, reduce="pass", **{where: WRITE.format("a", "text")})
    with pytest.raises(ProgramInvalidError, match=r"output_file\('a'\) in task m-0: only tasks that write the output"):
        run.map(0)


def test_one_name_is_one_file_in_a_task(tmp_path: Path) -> None:
    line = "path = self.context.output_file('a'); path.write_text((path.read_text() if path.exists() else '') + value)"
    run = make_run(tmp_path, map=line)
    assert contents(run, run.map(0)) == {"a": b"ab"}


def test_attempts_write_to_places_of_their_own(tmp_path: Path) -> None:
    run = make_run(tmp_path, teardown=WRITE.format("a", "text"))
    one, other = run.map(0, pod_uid="one"), run.map(0, pod_uid="other")
    assert one == other
    assert one.attempt_id == "one-0"
    staged = [meta.key for meta in run.output.list() if "-file-" in meta.key]
    assert staged == [one.files[0].key]


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        (
            "self.context.output_file('../x')",
            ProgramInvalidError,
            r"output_file\('../x'\) in task m-0: a name is a path",
        ),
        ("self.context.output_file('part-m-00000.txt')", ProgramInvalidError, "does not start with part-"),
        ("self.context.output_file(b'x')", ProgramInvalidError, "a name is a str"),
        ("self.context.output_file('x')", ProgramError, "the program has written no file to the path"),
        ("self.context.output_file('x').mkdir()", ProgramError, "the program has written no file to the path"),
        ("self.context.output_file('x').symlink_to('/etc/passwd')", ProgramError, "has written no file to the path"),
        (
            f"{WRITE.format('x', '')}; self.context.output_file('x/y')",
            ProgramInvalidError,
            r"\('x/y'\) .* it cannot be beside 'x', of which one is a directory",
        ),
        (
            f"[{WRITE.replace('{!r}', 'str(n)', 1).format('')} for n in range({MOST_FILES_OF_TASK + 1})]",
            ProgramInvalidError,
            r"\('100'\) in task m-0: a task writes at most 100 files",
        ),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_name(
    line: str, error: type[ProgramError], message: str, tmp_path: Path
) -> None:
    run = make_run(tmp_path, teardown=line)
    with pytest.raises(error, match=message) as refused:
        run.map(0)
    assert type(refused.value) is error
    assert list(run.store.list("commits/")) == []


def test_a_file_that_is_still_open_is_refused_because_its_buffer_would_be_lost(tmp_path: Path) -> None:
    opened = "import os; self.file = os.open(context.output_file('log'), os.O_CREAT | os.O_WRONLY)"
    lines = {"setup": opened, "map": "import os; os.write(self.file, value.encode())"}
    run = make_run(tmp_path, **lines)
    with pytest.raises(ProgramError, match=r"output_file\('log'\) in task m-0: the file is still open: close it"):
        run.map(0)
    run = make_run(tmp_path, **lines, teardown="import os; os.close(self.file)")
    assert contents(run, run.map(0)) == {"log": b"ab"}


def test_a_refusal_shows_the_line_of_the_program(tmp_path: Path) -> None:
    run = make_run(tmp_path, map="self.context.output_file('_x')")
    with pytest.raises(ProgramInvalidError) as refused:
        run.map(0)
    assert "line 7, in map_func" in refused.value.user_traceback
    assert "podreduce/" not in refused.value.user_traceback


def test_a_refused_name_is_no_bad_record(tmp_path: Path) -> None:
    run = TaskRun(
        source=JOB.format(setup="pass", map="self.context.output_file('_x')", reduce="", teardown="pass"),
        objects={"x": b"a\n"},
        scratch_directory=str(tmp_path),
        plan_changes={"bad_records": "Skip"},
    )
    with pytest.raises(ProgramInvalidError):
        run.map(0)


@pytest.mark.parametrize(("sizes", "taken"), [((10,), True), ((4, 6), True), ((11,), False), ((5, 6), False)])
def test_the_files_of_a_task_have_a_limit_together(
    sizes: tuple[int, ...], taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FILE_BYTES_OF_TASK", 10)
    lines = "; ".join(WRITE.format(f"f{number}", "x" * size) for number, size in enumerate(sizes))
    run = make_run(tmp_path, teardown=lines)
    if taken:
        assert [each.bytes for each in run.map(0).files] == list(sizes)
        return
    with pytest.raises(ProgramError, match=rf"output_file\('f{len(sizes) - 1}'\).* at most 10 bytes together"):
        run.map(0)
