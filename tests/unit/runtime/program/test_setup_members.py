"""What `setup` sets on the instance counts, in every way a job can run: the output is that of a class written so."""

from typing import Any

import pytest

from podreduce.contract.errors import InternalError, ProgramError
from podreduce.contract.plan import Program
from tests.support.task_runs import TaskRun

TEXT = b"the quick brown fox\njumps over the lazy dog\nthe end\n" * 20

MAP = "def map_func(self, key, value):\n        for word in value.split(): yield word, 1"
DRAINED = "def map_func(self, key, value): yield from ((word, 1) for word in value.split())"
BATCH = (
    "def map_batch(self, batch):\n"
    "        words = pc.split_pattern_regex(batch['value'], ' +').flatten()\n"
    "        return pa.record_batch({'key': words, 'value': pa.array([1] * len(words))})"
)
REDUCE = "def reduce_func(self, key, values): yield key, sum([*values])"
WAYS = {
    "fused": [MAP, REDUCE],
    "drained": [DRAINED, REDUCE],
    "recognised": [MAP, "def reduce_func(self, key, values): yield key, sum(values)"],
    "declared": [MAP, "combiner = 'sum'"],
    "combined": [MAP, REDUCE, "def combine_func(self, key, values): yield key, sum(values)"],
    "placed": [MAP, REDUCE, "def partition_func(self, key, partitions): return len(key) % partitions"],
    "map-only": [MAP],
    "batches, reduced as rows": [BATCH, REDUCE],
    "batches, declared": [BATCH, "combiner = 'sum'"],
    "batches": [BATCH, "def reduce_batch(self, batch): return pa.table(batch).slice(0, 5)"],
    "batches, combined": [
        BATCH,
        (
            "def reduce_batch(self, batch):\n"
            "        summed = pa.table(batch).group_by('key').aggregate([('value', 'sum')])\n"
            "        return summed.rename_columns(['key', 'value']).sort_by('key')"
        ),
        "def combine_batch(self, batch): return self.reduce_batch(batch)",
    ],
    "batches, map-only": [BATCH],
}
WRONG = {
    "map_func": "def map_func(self, key, value): yield 'wrong', 1",
    "map_batch": "def map_batch(self, batch): return pa.record_batch({'key': ['wrong'], 'value': [7]})",
    "reduce_func": "def reduce_func(self, key, values): yield 'wrong', max(values)",
    "reduce_batch": "def reduce_batch(self, batch): return None",
    "combine_func": "def combine_func(self, key, values): yield key, 0",
    "combine_batch": "def combine_batch(self, batch): return None",
    "partition_func": "def partition_func(self, key, partitions): return 99",
    "combiner": "combiner = 'min'",
}


def output_of(members: list[str], *more: str, skips: bool, job: str = "Written") -> list[str]:
    indented = "\n".join(f"    {member}" for member in members)
    source = "\n".join(["import pyarrow as pa, pyarrow.compute as pc", f"class Written:\n{indented}", *more])
    changes = {"bad_records": "Skip"} if skips else {}
    program = Program(source=source, class_name=job)
    return TaskRun(program=program, objects={"a": TEXT}, cuts=[500], plan_changes=changes).output_lines()


@pytest.mark.parametrize("skips", [False, True], ids=["whole", "skipping"])
@pytest.mark.parametrize("way", WAYS)
def test_members_set_in_setup_are_the_members(way: str, skips: bool) -> None:
    names = [name for name in WRONG if any(f"def {name}(" in member or f"{name} =" in member for member in WAYS[way])]
    wrong = "\n".join(f"    {WRONG[name]}" for name in names)
    setup = f"    def setup(self, context):\n        for name in {names}: setattr(self, name, getattr(super(), name))"
    found = output_of(WAYS[way], f"class Job(Written):\n{wrong}\n{setup}", skips=skips, job="Job")
    assert found == output_of(WAYS[way], skips=skips)


def test_a_reduce_that_only_setup_knows_of_makes_the_job_one_that_reduces() -> None:
    setup = "    def setup(self, context): self.reduce_func = lambda key, values: [(key, len([*values]))]"
    found = output_of([MAP], f"class Job(Written):\n{setup}", skips=False, job="Job")
    assert found == output_of([MAP, REDUCE], skips=False)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("self.map_func = 5", r"Job\.map_func is not a function"),
        ("self.map_func = lambda value: []", r"cannot be called with \(key, value\)"),
        ("self.combiner = 'mean'", "it must be one of sum, min, max, count"),
        ("self.reduce_func = self.combine_func = self.map_func; self.combiner = 'sum'", "remove one of them"),
    ],
)
def test_what_setup_sets_is_checked_as_the_class_is(statement: str, message: str) -> None:
    source = f"class Job:\n    {MAP}\n    def setup(self, context): {statement}\n"
    with pytest.raises(ProgramError, match=message):
        TaskRun(source=source, objects={"a": TEXT}).map(0)


@pytest.mark.parametrize("setup", ["pass", "self.reduce_func = None"])
def test_a_reduce_of_a_program_without_one_is_refused(setup: str) -> None:
    source = f"class Job:\n    {MAP}\n    def setup(self, context): {setup}\n"
    run: Any = TaskRun(source=source, objects={"a": TEXT})
    run.shuffle([TaskRun(objects={"a": TEXT}).map(0)])
    with pytest.raises(InternalError, match="is map-only"):
        run.reduce(0)


def test_members_may_be_properties() -> None:
    members = [
        "@property\n    def map_func(self): return lambda key, value: [(word, 1) for word in value.split()]",
        REDUCE,
    ]
    assert output_of(members, skips=False) == output_of([MAP, REDUCE], skips=False)


def test_a_property_that_raises_is_the_programs_error() -> None:
    source = "class Job:\n    @property\n    def map_func(self): return 1 / 0\n"
    with pytest.raises(ProgramError, match="ZeroDivisionError") as raised:
        TaskRun(source=source, objects={"a": TEXT}).map(0)
    assert 'File "wordcount.py", line 3' in (raised.value.user_traceback or "")
