"""Prints whether every result of each application is the same for 1, 3 and 8 shards, on its sample.

It is the last part of `make applications`. The names after the command are the applications; none: all.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from podreduce_apps.catalog import APPLICATIONS, find_pipeline, find_sample_writer
from tests.support.podreduce_command import COMMAND

__all__ = ["differing", "find_results", "main"]

SHARDS = (1, 3, 8)
SECONDS = 1800


def main(names: list[str]) -> int:
    """Print a line for each application; return 1 if a result differs."""
    is_same = True
    for name in names or sorted(APPLICATIONS):
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as directory:
            root = Path(directory)
            find_sample_writer(name)(root / "data")
            found = {shards: find_results(run_in_shards(root, name, shards)) for shards in SHARDS}
        wrong = sorted({each for shards in SHARDS[1:] for each in differing(found[1], found[shards])})
        is_same &= not wrong
        said = f"all {len(found[1])} results are the same" if not wrong else f"these differ: {', '.join(wrong)}"
        sys.stdout.write(f"{name:16} 1, 3 and 8 shards: {said}\n")
        sys.stdout.flush()
    return int(not is_same)


def run_in_shards(root: Path, name: str, shards: int) -> Path:
    """Run a pipeline whose maps have so many shards, and tables so many parts; return where the results are."""
    pipeline = yaml.safe_load(find_pipeline(name).read_text("utf-8"))
    for step in pipeline["spec"]["steps"]:
        step["map"] = {**step.get("map", {}), "shards": max(shards, len(step["inputs"]))}
        if step.get("output", {}).get("format") == "Parquet":
            step.setdefault("reduce", {}).setdefault("partitions", shards)
    file, output = root / f"{shards}.json", root / f"{shards}"
    file.write_text(json.dumps(pipeline))
    command = [*COMMAND, "run", str(file), "-p", f"input={root}/data/", "-p", f"output={output}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return output


def find_results(output: Path) -> dict[str, Any]:
    """Return what each step with a result has written: the rows of tables, sorted, and the bytes of files and parts."""
    found: dict[str, Any] = {}
    for step in sorted(path for path in output.iterdir() if path.is_dir()):
        tables = [pq.read_table(part) for part in sorted(step.glob("part-*.parquet"))]
        if tables:
            found[step.name] = in_order(pa.concat_tables([each for each in tables if each.num_rows] or tables[:1]))
        parts = [path.read_bytes() for path in sorted(step.glob("part-*")) if path.suffix != ".parquet"]
        if any(parts):
            found[step.name] = b"".join(parts)
        files = sorted(path for path in (step / "_files").rglob("*") if path.is_file())
        found |= {f"{step.name}/{path.name}": path.read_bytes() for path in files}
    return found


def in_order(table: pa.Table) -> list[str]:
    """Return the rows of a table as texts that have each digit, sorted."""
    return sorted(json.dumps(row, sort_keys=True, default=repr) for row in table.to_pylist())


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the names of the results that are not the same."""
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
