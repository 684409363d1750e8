"""A task of a local run finds imported what it needs: imports take more time than a small task's work."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.podreduce_command import COMMAND

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no fork server elsewhere")

PROGRAM = """
import json, sys
from pathlib import Path

import pyarrow as pa

BEFORE = set(sys.modules)


class Double:
    def setup(self, context):
        self.context = context

    def map_batch(self, batch):
        return pa.table({"key": batch.column("word"), "number": [2] * batch.num_rows})

    def reduce_batch(self, batch):
        return pa.table({"word": batch.column("key"), "number": batch.column("number")})

    def teardown(self):
        path = Path(self.context.parameters["directory"]) / self.context.task
        path.write_text(json.dumps(sorted(set(sys.modules) - BEFORE)))
"""


def test_columnar_tasks_import_no_library_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"word": ["a", "b", "a"]}), tmp_path / "in" / "words.parquet")
    job = {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceJob",
        "metadata": {"name": "double"},
        "spec": {
            "program": {"source": PROGRAM, "parameters": {"directory": str(tmp_path)}},
            "input": {"uris": [f"{tmp_path}/in/"], "format": "Parquet"},
            "output": {"uri": f"{tmp_path}/out/", "format": "Parquet"},
        },
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    command = [*COMMAND, "run", str(tmp_path / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for task in ("m-0", "r-0"):
        imported = json.loads((tmp_path / task).read_text())
        heavy = [name for name in imported if name.split(".")[0] in ("numpy", "pandas", "podreduce", "pyarrow")]
        assert heavy == [], task
