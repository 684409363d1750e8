"""Every counter that a task counts itself, whatever way it runs, is one that docs/reference.md explains."""

import re
from pathlib import Path

import pytest

from tests.support.task_runs import TaskRun

ROOT = Path(__file__).parents[3]
MAP_FUNC = "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"
MAP_BATCH = "class Job:\n    def map_batch(self, batch):\n        return batch\n"
REDUCE = "    def reduce_func(self, key, values):\n        yield key, list(values)\n"
REDUCE_BATCH = "    def reduce_batch(self, batch):\n        return batch\n"
COMBINER = "    combiner = 'count'\n"
WAYS = {
    "declared": (MAP_FUNC + COMBINER, "declaredTasks"),
    "generic": (MAP_FUNC + REDUCE, "genericTasks"),
    "map-only": (MAP_FUNC, "genericTasks"),
    "columnar": (MAP_BATCH + REDUCE_BATCH, "columnarTasks"),
    "columnar, to rows": (MAP_BATCH + COMBINER, "columnarTasks"),
}


@pytest.mark.parametrize(("source", "way"), WAYS.values(), ids=WAYS)
def test_every_counter_of_a_task_is_explained(source: str, way: str) -> None:
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", reference.partition("## Built-in counters")[2], re.MULTILINE))
    run = TaskRun(source=source, objects={"a": b"one\ntwo\none\n"}, partitions=0 if source == MAP_FUNC else 1)
    maps = [run.map(0)]
    counted = set(maps[0].counters["podreduce"])
    assert way in counted
    if source != MAP_FUNC:
        counted |= set(run.reduce_all(maps)[0].counters.get("podreduce", {}))
    assert counted <= explained
