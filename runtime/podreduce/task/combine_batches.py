"""The columnar tier's combiner: passes a map task's sorted rows to `combine_batch`, before they are spilled or sent."""

from functools import partial
from typing import Any

import pyarrow as pa

from podreduce.columnar.columns import key_at
from podreduce.columnar.combining import Combine, check_combined
from podreduce.columnar.key_columns import flat_batch
from podreduce.contract.texts import render_count
from podreduce.program.loading import LoadedProgram
from podreduce.program.tracebacks import describe_key, raise_blamed
from podreduce.task.map_batches import tables_of

__all__ = ["combine_by_batches"]


def combine_by_batches(program: LoadedProgram) -> Combine | None:
    """Return the function with which the map's buffer makes fewer rows; None if the program has none."""
    return partial(call_combine_batch, program) if program.combine_batch is not None else None


def call_combine_batch(program: LoadedProgram, batch: pa.RecordBatch, distinct: pa.Array) -> pa.Table:
    """Return the result of `combine_batch` for sorted rows with these distinct keys, checked.

    Raises:
        ProgramError: it raised, or returned what cannot take the place of the rows.
    """
    combine_batch: Any = program.combine_batch
    member = f"{program.class_name}.combine_batch"
    try:
        returned = [*tables_of(combine_batch(flat_batch(batch)), member)]
        return check_combined(returned, batch.schema, distinct, member)
    except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
        first = describe_key(key_at(distinct, 0))
        rows = render_count(batch.num_rows, "row")
        raise_blamed(error, f"a batch of {rows} from {first} on, in combine_batch")
