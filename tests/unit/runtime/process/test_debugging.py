"""Where the debugger of a replay stands: in the program's last line, whatever podreduce does around it."""

from pathlib import Path

import pytest

from podreduce.contract.errors import PodreduceError
from podreduce.process.debugging import find_program_trace
from tests.support.task_runs import TaskRun

PROGRAMS = {
    "map": "class Job:\n    def map_func(self, key, value):\n        raise ValueError(value)\n",
    "rewritten-map": "class Job:\n    def map_func(self, key, value):\n        yield int(value), 1\n"
    "    def reduce_func(self, key, values):\n        yield key, sum(values)\n",
    "own-cause": "class Job:\n    def map_func(self, key, value):\n        try:\n            int(value)\n"
    "        except ValueError as error:\n            raise KeyError(value) from error\n",
    "library": "import json\nclass Job:\n    def map_func(self, key, value):\n        yield json.loads(value), 1\n",
    "setup": "class Job:\n    def setup(self, context):\n        context.parameters['absent']\n"
    "    def map_func(self, key, value):\n        yield value, 1\n",
    "context": "class Job:\n    def setup(self, context):\n        self.context = context\n"
    "    def map_func(self, key, value):\n        self.context.count('a', 'b', 'c')\n        yield value, 1\n",
    "import": "import absent_module\nclass Job:\n    def map_func(self, key, value):\n        yield value, 1\n",
}
LAST = {
    "map": "map_func", "rewritten-map": "map_func", "own-cause": "map_func", "library": "raw_decode",
    "setup": "setup", "context": "map_func", "import": "<module>",
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_debugger_stands_where_the_program_failed(tmp_path: Path, name: str) -> None:
    run = TaskRun(source=PROGRAMS[name], objects={"a.txt": b"x\n"}, partitions=1, root=f"file://{tmp_path}/")
    with pytest.raises(PodreduceError) as caught:
        run.map(0)
    trace = find_program_trace(caught.value)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    assert trace is not None
    assert trace.tb_frame.f_code.co_name == LAST[name]


def test_an_error_that_no_line_of_the_program_raised_has_no_place_there() -> None:
    assert find_program_trace(PodreduceError("never raised")) is None
