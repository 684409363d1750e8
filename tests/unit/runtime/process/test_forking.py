"""What a process imports before it forks is what its copies would import, each again."""

import subprocess
import sys

PROGRAM = """
import sys
from podreduce.process.fork_server import import_all
import_all()
before = set(sys.modules)
import pyarrow as pa
pa.table({"key": [1, 1], "value": [1.5, 2.5]}).group_by("key").aggregate([("value", "sum")])
print(*sorted(name for name in set(sys.modules) - before if name.startswith("pyarrow")))
"""


def test_a_task_that_groups_a_table_imports_nothing_more_of_arrow() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert not done.stdout.split()
