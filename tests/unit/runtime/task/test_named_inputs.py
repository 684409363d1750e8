"""A job with several inputs: each task reads one of them, in its own format, and knows its name."""

from typing import Any

import pytest

from podreduce.contract.errors import InputError
from podreduce.contract.plan import SEVERAL_INPUTS, InputOptions, Piece, PlannedInput
from podreduce.inputs import read_records
from tests.support.task_runs import TaskRun

SOURCE = """
class Job:
    def setup(self, context):
        self.context, self.name = context, context.input
    def map_func(self, key, value):
        yield self.name, (self.context.input, value)
    def reduce_func(self, key, values):
        for value in values:
            yield repr(self.name), value
"""
BATCHES = """
class Job:
    def setup(self, context):
        self.context = context
    def map_batch(self, batch):
        import pyarrow as pa
        names = [f"{self.context.input} {','.join(batch.schema.names)}"] * batch.num_rows
        return pa.table({"key": names, "value": [1] * batch.num_rows})
"""


def named_run(source: str, input_format: str, data: bytes, **changes: Any) -> TaskRun:
    """A run whose only shard is of one of two inputs."""
    inputs = (
        PlannedInput(
            name="a",
            input_format=input_format,
            input_options=InputOptions(csv_delimiter=";"),
            encoding_errors="Replace",
        ),
        PlannedInput(name="b", input_format="Parquet", encoding_errors="Strict"),
    )
    changed = {"input_format": SEVERAL_INPUTS, "inputs": inputs} | changes
    return TaskRun(source=source, objects={"x": data}, partitions=1, plan_changes=changed)


@pytest.mark.parametrize("changes", [{}, {"bad_records": "Skip"}], ids=["all", "skipping"])
def test_a_map_reads_its_input_as_that_says(changes: dict[str, Any]) -> None:
    run = named_run(SOURCE, "CSV", b"k;v\n1;\xff\n", **changes)
    assert run.output_lines() == ['\'\'\t["a",{"k":"1","v":"\ufffd"}]']


def test_text_may_still_be_fused() -> None:
    source = "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n    combiner = 'sum'\n"
    run = named_run(source, "Text", b"b a b\n")
    assert run.map(0).counters["podreduce"]["fusedTasks"] == 1


def test_batches_have_the_columns_of_their_input() -> None:
    run = named_run(BATCHES, "CSV", b"k;v\n1;2\n3;4\n", partitions=0)
    assert run.output_lines() == ["a k,v\t1", "a k,v\t1"]


def test_a_reader_of_an_earlier_release_refuses_a_plan_with_several_inputs() -> None:
    run = named_run(SOURCE, "Text", b"a\n")
    piece = Piece(uri=run.input.uri_of("x"), start=0, end=2, object_bytes=2)
    with pytest.raises(InputError, match=r"input\.format 'Several': this version reads Text"):
        read_records(run.plan, run.input, "x", piece)
