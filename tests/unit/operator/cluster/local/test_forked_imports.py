"""A task of a local run finds imported what it needs: imports take more time than a small task's work."""

import json
import os
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


class Shown:
    def setup(self, context):
        self.context = context
        self.use_side_input()

    def teardown(self):
        path = Path(self.context.parameters["directory"]) / self.context.task
        path.write_text(json.dumps(sorted(sys.modules)))


class Rows(Shown):
    def use_side_input(self):
        self.known = dict(self.context.side_input("known"))

    def map_func(self, key, value):
        yield str(value), 1

    def reduce_func(self, key, values):
        yield key, sum(values)


class Columns(Shown):
    def use_side_input(self):
        self.known = self.context.side_table("known")

    def map_batch(self, batch):
        import numpy as np
        import pyarrow as pa

        numbers = np.arange(len(batch))
        return pa.table({"key": numbers, "value": np.ones(len(batch))})

    def reduce_batch(self, batch):
        import pyarrow as pa

        return pa.table(batch).group_by("key").aggregate([("value", "sum")]).rename_columns(["key", "value"])
"""
IMPORTED = """
import json, sys
from podreduce.process.fork_server import import_all
import_all()
print(json.dumps(sorted(sys.modules)))
"""
LIBRARIES = ("numpy", "obstore", "pandas", "podreduce", "pyarrow")
WORDS = ["a", "b", "a"]
LINES = {"Text": "{0}\n", "JSONLines": '{{"word": "{0}"}}\n', "CSV": "{0},1\n"}


@pytest.fixture(params=["with pandas, if installed", "without pandas"])
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    if request.param != "without pandas":
        return {**os.environ}
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "pandas.py").write_text("raise ImportError('hidden')\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path / "hidden")}


def write_words(path: Path, input_format: str) -> None:
    if input_format == "Parquet":
        pq.write_table(pa.table({"word": WORDS}), path)
    else:
        path.write_text("".join(LINES[input_format].format(each) for each in WORDS))


@pytest.mark.parametrize(
    ("class_name", "input_format", "output_format"),
    [
        ("Rows", "Text", "Text"),
        ("Rows", "JSONLines", "CSV"),
        ("Rows", "CSV", "Pairs"),
        ("Rows", "Parquet", "JSONLines"),
        ("Columns", "Parquet", "Parquet"),
        ("Columns", "JSONLines", "Text"),
        ("Columns", "CSV", "Pairs"),
    ],
)
def test_tasks_import_no_library_of_their_own(
    tmp_path: Path, environ: dict[str, str], class_name: str, input_format: str, output_format: str
) -> None:
    (tmp_path / "in").mkdir()
    write_words(tmp_path / "in" / "words", input_format)
    pq.write_table(pa.table({"key": WORDS, "value": WORDS}), tmp_path / "known")
    side_input = {"name": "known", "uris": [f"{tmp_path}/known"], "format": "Parquet"}
    job = {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceJob",
        "metadata": {"name": "shown"},
        "spec": {
            "program": {"source": PROGRAM, "className": class_name, "parameters": {"directory": str(tmp_path)}},
            "input": {"uris": [f"{tmp_path}/in/"], "format": input_format},
            "sideInputs": [side_input],
            "output": {"uri": f"{tmp_path}/out/", "format": output_format},
        },
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    run([*COMMAND, "run", str(tmp_path / "job.json")], environ)
    before = set(json.loads(run([sys.executable, "-c", IMPORTED], environ)))
    for task in ("m-0", "r-0"):
        imported = set(json.loads((tmp_path / task).read_text())) - before
        assert [name for name in sorted(imported) if name.split(".")[0] in LIBRARIES] == [], task


def test_the_server_is_started_before_anything_slow_is_imported() -> None:
    script = "import sys, podreduce_operator.cluster.local.fork_server_process; print(*sys.modules)"
    imported = set(run([sys.executable, "-c", script], {**os.environ}).split())
    assert not imported & {"asyncio", "msgspec", "numpy", "obstore", "structlog", "typer"}


def test_the_server_imports_nothing_for_terminals() -> None:
    imported = json.loads(run([sys.executable, "-c", IMPORTED], {**os.environ}))
    assert {"structlog", "pyarrow"} <= set(imported)
    assert "rich" not in imported


def run(command: list[str], environ: dict[str, str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
