import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from podreduce.contract.errors import ProgramError
from podreduce.contract.plan import Program
from podreduce.program.loading import LoadedProgram, load_program

JOB = """
class Job:
    def map_func(self, key, value):
        yield value, 1
"""


def load(source: str, **fields: Any) -> LoadedProgram:
    return load_program(Program(source=textwrap.dedent(source), **fields), name="myjob")


def test_a_plain_class_is_a_job() -> None:
    program = load(JOB)
    assert program.class_name == "Job"
    assert program.map_only
    assert list(program.map_func(0, "a")) == [("a", 1)]
    assert (program.reduce_func, program.combine_func, program.combiner, program.setup) == (None,) * 4


def test_all_members_are_found_by_name() -> None:
    program = load(
        JOB
        + """
    def reduce_func(self, key, values): return [(key, list(values))]
    def combine_func(self, key, values): return [(key, v) for v in values]
    def partition_func(self, key, partitions): return 0
    def setup(self, context): self.context = context
    def teardown(self): pass
"""
    )
    assert not program.map_only
    members = (program.reduce_func, program.combine_func, program.partition_func, program.setup, program.teardown)
    assert all(map(callable, members))


@pytest.mark.parametrize("combiner", ["sum", "min", "max", "count"])
def test_a_declared_combiner_is_a_reduce(combiner: str) -> None:
    program = load(JOB + f"    combiner = {combiner!r}\n")
    assert program.combiner == combiner
    assert not program.map_only


def test_static_and_flexible_members_are_fine() -> None:
    program = load(
        """
        class Job:
            @staticmethod
            def map_func(key, value, *, times=2): return [(value, times)]
            def reduce_func(self, *args): return None
            map_batch = None
        """
    )
    assert program.map_func(0, "a") == [("a", 2)]


def test_imported_and_other_classes_are_no_job() -> None:
    program = load(
        """
        from dataclasses import dataclass
        import sys, types
        other = types.ModuleType("other_jobs")
        exec("class Imported:\\n    def map_func(self, k, v): pass", other.__dict__)
        Imported = other.Imported
        Imported.__module__ = "other_jobs"
        @dataclass
        class Word:
            text: str
        class Mine:
            def map_func(self, key, value): return [(Word("a").text, 1)]
        """
    )
    assert program.class_name == "Mine"


def test_the_class_named_is_taken_of_several() -> None:
    two = JOB + JOB.replace("Job", "Other")
    assert load(two, class_name="Other").class_name == "Other"
    with pytest.raises(ProgramError, match=r"the job classes Job, Other: set program.className"):
        load(two)


@pytest.mark.parametrize(
    ("source", "fields", "message"),
    [
        ("x = 1", {}, r"myjob.py defines no class with a map_func\(self, key, value\); it has no class at all"),
        ("class A: pass\nclass B: pass", {}, "it has A, B"),
        (JOB, {"class_name": "Jbo"}, "className Jbo: myjob.py has no such class"),
        ("def Job(): pass", {"class_name": "Job"}, "no such class"),
        (
            "class Job:\n def map_func(self, value): pass",
            {},
            r"Job.map_func\(value\) cannot be called with \(key, value\)",
        ),
        ("class Job:\n map_func = 3", {}, "no class with a map_func"),
        (JOB + " reduce_func = 3", {}, "unindent"),
        (
            JOB + "    reduce_func = 3",
            {},
            r"Job.reduce_func is not a function: write def reduce_func\(self, key, values\)",
        ),
        (JOB + "    def setup(self): pass", {}, r"write def setup\(self, context\)"),
        (JOB + "    def teardown(self, context): pass", {}, r"write def teardown\(self\)"),
        (JOB + "    combiner = 'avg'", {}, "combiner is 'avg': it must be one of sum, min, max, count"),
        (
            JOB + "    combiner = 'sum'\n    def reduce_func(self, k, v): pass",
            {},
            "which is its reduce, and reduce_func",
        ),
        (JOB + "    combiner = 'sum'\n    def combine_func(self, k, v): pass", {}, "and combine_func: remove"),
        (JOB + "    def combine_func(self, k, v): pass", {}, "combine_func needs a reduce_func"),
        (
            JOB + "    def combine_batch(self, batch): pass",
            {},
            "Job.combine_batch needs a reduce_batch: write one, or remove",
        ),
        ("class Job:\n def map_batch(self, batch): pass\n def combine_batch(self): pass", {}, "needs a reduce_batch"),
        (
            "class Job:\n map_batch = reduce_batch = lambda self, batch: None\n def combine_batch(self): pass",
            {},
            r"Job.combine_batch\(\) cannot be called with \(batch\): write def combine_batch\(self, batch\)",
        ),
        (
            "class Job:\n combiner = 'sum'\n def map_batch(self, b): pass\n def combine_batch(self, b): pass",
            {},
            "which is its reduce, and combine_batch: remove one of them",
        ),
        (JOB + "    def reduce_batch(self, batch): pass", {}, "reduce_batch takes the columns of a map_batch"),
        (JOB + "    def map_batch(self, batch): pass", {}, "map_func and map_batch, which do the same work"),
        ("class Job:\n def map_batch(self): pass", {}, "write def map_batch.self, batch."),
        ("class Job:\n async def map_func(self, key, value): pass", {}, "Job.map_func is async"),
        (
            "class Job:\n def __init__(self, n): pass\n def map_func(self, k, v): pass",
            {},
            "__init__.. missing 1 required",
        ),
    ],
)
def test_a_program_that_is_no_job_says_what_to_do(source: str, fields: dict[str, str], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load(source, **fields)


def test_an_error_on_import_shows_the_users_lines() -> None:
    with pytest.raises(ProgramError, match=r"myjob.py cannot be imported: ZeroDivisionError") as raised:
        load("def f():\n    return 1 / 0\nf()\n")
    trace = raised.value.user_traceback
    assert 'File "myjob.py", line 2, in f\n    return 1 / 0' in trace
    assert "podreduce" not in trace


@pytest.mark.parametrize(
    ("source", "shown"), [("class Job\n", "expected ':'"), ("x = 1\n  y = 2\n", 'File "myjob.py", line 2')]
)
def test_a_syntax_error_shows_its_line(source: str, shown: str) -> None:
    with pytest.raises(ProgramError, match=r"cannot be imported: (SyntaxError|IndentationError)") as raised:
        load(source)
    assert shown in raised.value.user_traceback


@pytest.mark.parametrize("source", ["import sys; sys.exit(0)", "raise KeyboardInterrupt"])
def test_a_program_that_exits_on_import_has_failed(source: str) -> None:
    with pytest.raises((ProgramError, KeyboardInterrupt)):
        load(source)


def test_a_module_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_jobs.py").write_text("import os\n" + JOB)
    (tmp_path / "broken_jobs.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_program(Program(module="some_jobs"), name="n").class_name == "Job"
    assert "some_jobs" in sys.modules
    with pytest.raises(ProgramError, match=r"program.module missing.jobs: no such module; put it into the image"):
        load_program(Program(module="missing.jobs"), name="n")
    with pytest.raises(ProgramError, match=r"broken_jobs cannot be imported: .*no_such_library"):
        load_program(Program(module="broken_jobs"), name="n")
