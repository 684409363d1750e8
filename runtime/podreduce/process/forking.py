"""What a process that forks tasks does before, and a copy of it first: imports; chance of its own.

Rule: nothing here opens a store, starts a thread or calls a program: a copy could not live with that.
"""

import gc
import os
import sys
from typing import Any

from podreduce.contract.environment import FORK_SERVER_VARIABLES

__all__ = ["freeze", "import_columns", "import_tasks", "reseed"]


def import_tasks() -> None:
    """Import what any task needs."""
    import podreduce.task.map_task  # noqa: PLC0415 - that is what the process is for
    import podreduce.task.reduce_task  # noqa: F401, PLC0415 - likewise


def import_columns() -> None:
    """Import what tasks over columns need besides: a seventh of a second and 40 MB, which rows do without."""
    for name, value in FORK_SERVER_VARIABLES.items():
        os.environ.setdefault(name, value)
    import pyarrow as pa  # noqa: PLC0415 - as above

    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())  # as numpy: what one of them frees is there for the other


def freeze() -> None:
    """Let the copies share what there is: the collector leaves it alone from now on."""
    gc.collect()
    gc.freeze()


def reseed() -> None:
    """Give numpy's global generator a state of its own, as Python gives its own."""
    generators: Any = sys.modules.get("numpy.random")
    if generators is not None:
        generators.seed()
