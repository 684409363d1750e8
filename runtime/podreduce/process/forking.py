"""What a process does before it forks tasks, and what each copy does first: imports; new random state.

Rule: nothing here opens a store, starts a thread or calls a program: a copy could not use them.
"""

import os
import sys
from typing import Any

from podreduce.contract.process_variables import FORK_SERVER_VARIABLES

__all__ = ["import_batches", "import_columns", "import_tasks", "reseed"]


def import_tasks() -> None:
    """Import what any task needs, and prepare the reading of records: some thousandths of a second in each task."""
    import podreduce.task.map_task  # noqa: PLC0415 - the purpose of the process
    import podreduce.task.reduce_task  # noqa: F401, PLC0415 - likewise
    from podreduce.contract.wire import learn_records  # noqa: PLC0415 - likewise

    learn_records()


def import_columns() -> None:
    """Import what columnar tasks need in addition: a seventh of a second and 40 MB, which row tasks do not need.

    Arrow imports `numpy.ma` when it is first given an array of numpy's.
    """
    for name, value in FORK_SERVER_VARIABLES.items():
        os.environ.setdefault(name, value)
    import numpy.ma  # noqa: F401, PLC0415 - as above
    import pyarrow as pa  # noqa: PLC0415 - as above

    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())  # the same as numpy's, so that each can use what the other frees


def import_batches() -> None:
    """Import what tasks with batches of columns need in addition, after `import_columns`.

    With its first array pyarrow also imports pandas, where that is installed: a third of a second of CPU time, which
    each copy would take again. Its `acero` is what the first `group_by` of a table imports.
    """
    import pyarrow as pa  # noqa: PLC0415 - as above
    import pyarrow.acero  # noqa: PLC0415 - as above

    import podreduce.inputs.csv_columns  # noqa: PLC0415 - as above
    import podreduce.inputs.json_columns  # noqa: PLC0415 - as above
    import podreduce.inputs.parquet_rows  # noqa: PLC0415 - as above
    import podreduce.outputs.columns  # noqa: PLC0415 - as above
    import podreduce.outputs.parquet_dictionaries  # noqa: PLC0415 - as above
    import podreduce.task.combine_batches  # noqa: PLC0415 - likewise
    import podreduce.task.map_batches  # noqa: PLC0415 - likewise
    import podreduce.task.reduce_batches  # noqa: PLC0415 - likewise
    import podreduce.task.side_table  # noqa: F401, PLC0415 - likewise

    pa.array([0])


def reseed() -> None:
    """Give numpy's global generator a new state, as Python does with its own."""
    generators: Any = sys.modules.get("numpy.random")
    if generators is not None:
        generators.seed()
