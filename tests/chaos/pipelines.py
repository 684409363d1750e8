"""`python -m tests.chaos.pipelines`: the example pipelines on a real cluster, their operator killed every ten seconds.

Each must give, byte for byte, what `podreduce run` of the same file gives here, in 1, 3 and 8 shards; and that must be
what plain Python and numpy give.
"""

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from rich.table import Table

from tests.bench.paths import CHECKOUT, PODREDUCE
from tests.chaos.faults import OPERATOR_KILL_SECONDS, delete_operator
from tests.chaos.pipeline_stage import Outcome, Stage, is_end, run_program, striking
from tests.chaos.stage import CORPUS, OUTPUT
from tests.e2e.installation import Installation
from tests.support.pipeline_oracles import (
    draw_links,
    draw_logs,
    draw_points,
    expected_centres,
    expected_ranks,
    expected_report,
)

SHARDS: Final = (1, 3, 8)
SHARDS_THERE: Final = 3
"""On the cluster: with several shards a job has a pod a task, and a loop carries the output of its maps over."""
SEED: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example with data of its own.

    Attributes:
        name: of its directory below `examples`.
        reads: the parameter that names its data.
        writes: the parameter that names each of its results.
        draw: writes the data.
        check: compares the results, below a directory, with what they must be: data, results.
    """

    name: str
    reads: str
    writes: tuple[str, ...]
    draw: Callable[[Path], None]
    check: Callable[[Path, Path], None]


def read_lines(directory: Path) -> list[str]:
    """Return the lines of an output."""
    return [line for part in sorted(directory.rglob("part-*")) for line in part.read_text().splitlines()]


def check_web(data: Path, results: Path) -> None:
    """Compare the report."""
    rows = [row for part in sorted(results.rglob("part-*.csv")) for row in csv.DictReader(part.open(newline=""))]
    found = {row["page"]: (int(row["visits"]), int(row["median"]), int(row["faults"])) for row in rows}
    assert found == expected_report(data)


def check_ranks(data: Path, results: Path) -> None:
    """Compare the ranks with a power iteration of as many rounds."""
    ranks, _ = expected_ranks(data)
    found = {page: float(rank) for page, rank in (line.split("\t") for line in read_lines(results / "top"))}
    assert found == pytest.approx(ranks, abs=1e-6)


def check_centres(data: Path, results: Path) -> None:
    """Compare the centres with numpy's."""
    centres, _ = expected_centres(data, 4)
    rows = [line.split(",") for line in read_lines(results / "centres")]
    found = {int(number): (float(x), float(y)) for number, x, y in rows if number.isdigit()}
    assert found.keys() == centres.keys()
    for number, centre in centres.items():
        assert found[number] == pytest.approx(centre, abs=1e-9)


EXAMPLES: Final = (
    Example(
        name="web",
        reads="logs",
        writes=("reports",),
        draw=lambda at: draw_logs(at, seed=SEED, rows=20_000),
        check=check_web,
    ),
    Example(
        name="pagerank",
        reads="links",
        writes=("top",),
        draw=lambda at: draw_links(at, seed=SEED, pages=2_000),
        check=check_ranks,
    ),
    Example(
        name="kmeans",
        reads="points",
        writes=("centres", "labels"),
        draw=lambda at: draw_points(at, seed=SEED, points=5_000),
        check=check_centres,
    ),
)


def run_here(example: Example, data: Path, results: Path, shards: int) -> None:
    """Run an example by the local engine, each step that reads objects in so many shards."""
    manifest = read_manifest(example, shards)
    parameters = {example.reads: suffixed(data, example), **{name: f"{results / name}" for name in example.writes}}
    given = [option for name, value in parameters.items() for option in ("-p", f"{name}={value}")]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(manifest, file)
        file.flush()
        subprocess.run(
            [str(PODREDUCE), "run", file.name, "--log-format", "lines", *given], check=True, stderr=sys.stdout
        )


def read_manifest(example: Example, shards: int) -> dict[str, Any]:
    """Return an example's file, with each step that reads objects in so many shards."""
    text = (CHECKOUT / "examples" / example.name / "pipeline.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)
    for step in found["spec"]["steps"]:
        if any("uris" in each for each in step["inputs"]):
            step["map"] = {**step.get("map", {}), "shards": max(shards, len(step["inputs"]))}
    return found


def suffixed(place: Path | str, example: Example) -> str:
    """Return the data's prefix as the example expects it: `web` adds `/day=…/` itself."""
    return str(place).rstrip("/") + ("" if example.name == "web" else "/")


def read_outputs(example: Example, directory: Path) -> Mapping[str, bytes]:
    """Return the bytes of each result below a directory, its parts joined. Each CSV part has a header; one is kept."""
    return {name: join_parts(sorted((directory / name).rglob("part-*"))) for name in example.writes}


def join_parts(parts: Sequence[Path]) -> bytes:
    """Return the parts' bytes in order."""
    first, *others = [path.read_bytes().splitlines(keepends=True) for path in parts]
    is_table = parts[0].suffix == ".csv"
    return b"".join(first + [line for lines in others for line in lines[is_table:]])


def rehearse(example: Example, stage: Stage) -> Outcome:
    """Run an example here and on the cluster, and compare."""
    with tempfile.TemporaryDirectory(prefix="podreduce-pipelines-") as scratch:
        data, expected = Path(scratch) / "data", Path(scratch) / "here"
        example.draw(data)
        for shards in SHARDS:
            run_here(example, data, Path(scratch) / f"here-{shards}", shards)
        (Path(scratch) / f"here-{SHARDS[0]}").rename(expected)
        example.check(data, expected)
        wanted = read_outputs(example, expected)
        differs = [n for n in SHARDS[1:] if read_outputs(example, Path(scratch) / f"here-{n}") != wanted]
        if differs:
            return Outcome(problem=f"other bytes in {differs} shards")
        return run_there(example, stage, data, expected, Path(scratch) / "there")


def run_there(example: Example, stage: Stage, data: Path, expected: Path, found: Path) -> Outcome:
    """Run an example on the cluster while its operator is killed again and again."""
    namespace = stage.set_up("pipelines", data)
    manifest = read_manifest(example, SHARDS_THERE)
    manifest["spec"]["parameters"][example.reads] = suffixed(f"s3://{CORPUS}/{namespace}", example)
    for name in example.writes:
        manifest["spec"]["parameters"][name] = f"s3://{OUTPUT}/{namespace}/{name}"
    started = time.monotonic()
    stage.cluster.apply(manifest, namespace=namespace)
    with killing_the_operator(stage.installation) as kills:
        status = stage.wait(manifest["metadata"]["name"], namespace)
    seconds = time.monotonic() - started
    for name in example.writes:
        stage.download(f"{namespace}/{name}", found / name)
    same = read_outputs(example, found) == read_outputs(example, expected)
    ended = next(each["type"] for each in status["conditions"] if is_end(each))
    problem = "" if same and ended == "Complete" else f"{ended}; {'the same' if same else 'other'} bytes than here"
    stage.take_down(namespace)
    iterations = ", ".join(f"{loop['name']} {loop['iteration']}" for loop in status.get("loops") or ())
    return Outcome(seconds=seconds, facts=(str(len(kills)), iterations), problem=problem)


def killing_the_operator(installation: Installation) -> AbstractContextManager[list[float]]:
    """Kill the operator every ten seconds. Give the list of the moments."""

    def strike() -> list[float]:
        delete_operator(installation)
        return [time.monotonic()]

    return striking(strike, every_seconds=OPERATOR_KILL_SECONDS)


def main(argv: Sequence[str]) -> int:
    """Run the examples asked for; 1 if one did not give what it should."""
    table = Table("example", "seconds", "kills of the operator", "iterations", "outputs")
    return run_program("tests.chaos.pipelines", str(__doc__), EXAMPLES, rehearse, table=table, argv=argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
