"""`python -m tests.chaos.pipelines`: the example pipelines on a real cluster, their operator killed every ten seconds.

Each must give, byte for byte, what `podreduce run` of the same file gives here, in 1, 3 and 8 shards; and that must be
what plain Python and numpy give.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import obstore
import pytest
import yaml
from rich.console import Console
from rich.table import Table

from tests.bench.paths import CHECKOUT, PODREDUCE
from tests.bench.telling import say
from tests.chaos.faults import OPERATOR_KILL_SECONDS, delete_operator
from tests.chaos.stage import CORPUS, OUTPUT, WORK, deploy_store
from tests.cluster import provider
from tests.cluster.cluster import Cluster
from tests.cluster.images import load_project_images
from tests.cluster.object_store import ClusterMinio
from tests.cluster.processes import ClusterError
from tests.e2e.installation import Installation
from tests.support.pipeline_oracles import (
    draw_links,
    draw_logs,
    draw_points,
    expected_centres,
    expected_ranks,
    expected_report,
)

TIMEOUT_SECONDS: Final = 1200.0
SHARDS: Final = (1, 3, 8)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an example fared. `problem` is empty if all was as it should be."""

    example: str
    seconds: float = 0.0
    kills: int = 0
    iterations: str = ""
    problem: str = ""


def run_here(example: Example, data: Path, results: Path, shards: int) -> None:
    """Run an example by the local engine, each step that reads objects in so many shards."""
    manifest = read_manifest(example)
    for step in manifest["spec"]["steps"]:
        if any("uris" in each for each in step["inputs"]):
            step["map"] = {**step.get("map", {}), "shards": max(shards, len(step["inputs"]))}
    parameters = {example.reads: suffixed(data, example), **{name: f"{results / name}" for name in example.writes}}
    given = [option for name, value in parameters.items() for option in ("-p", f"{name}={value}")]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(manifest, file)
        file.flush()
        subprocess.run(
            [str(PODREDUCE), "run", file.name, "--log-format", "lines", *given], check=True, stderr=sys.stdout
        )


def read_manifest(example: Example) -> dict[str, Any]:
    """Return an example's file."""
    text = (CHECKOUT / "examples" / example.name / "pipeline.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the examples run."""

    cluster: Cluster
    installation: Installation
    minio: ClusterMinio

    def rehearse(self, example: Example) -> Outcome:
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
                return Outcome(example=example.name, problem=f"other bytes in {differs} shards")
            return self.run_there(example, data, expected, Path(scratch) / "there")

    def run_there(self, example: Example, data: Path, expected: Path, found: Path) -> Outcome:
        """Run an example on the cluster while its operator is killed again and again."""
        namespace = self.cluster.namespace("pipelines", restricted=True)
        self.cluster.apply(self.minio.secret(f"s3://{WORK}/"), namespace=namespace)
        for path in (path for path in data.rglob("*") if path.is_file()):
            obstore.put(self.minio.store(CORPUS, namespace), str(path.relative_to(data)), path.read_bytes())
        manifest = read_manifest(example)
        manifest["spec"]["parameters"][example.reads] = suffixed(f"s3://{CORPUS}/{namespace}", example)
        for name in example.writes:
            manifest["spec"]["parameters"][name] = f"s3://{OUTPUT}/{namespace}/{name}"
        started = time.monotonic()
        self.cluster.apply(manifest, namespace=namespace)
        with killing_the_operator(self.installation) as kills:
            status = self.wait(manifest["metadata"]["name"], namespace)
        seconds = time.monotonic() - started
        for name in example.writes:
            self.download(f"{namespace}/{name}", found / name)
        same = read_outputs(example, found) == read_outputs(example, expected)
        ended = next(each["type"] for each in status["conditions"] if is_end(each))
        problem = "" if same and ended == "Complete" else f"{ended}; {'the same' if same else 'other'} bytes than here"
        self.cluster.kubectl("delete", "namespace", namespace, "--wait=true", "--timeout=120s", timeout=130)
        iterations = ", ".join(f"{loop['name']} {loop['iteration']}" for loop in status.get("loops") or ())
        return Outcome(example=example.name, seconds=seconds, kills=len(kills), iterations=iterations, problem=problem)

    def wait(self, name: str, namespace: str) -> dict[str, Any]:
        """Wait until a pipeline has ended, and return its status."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            status: dict[str, Any] = (self.cluster.get("mrp", name, namespace) or {}).get("status") or {}
            if any(is_end(each) for each in status.get("conditions", ())):
                return status
            time.sleep(1)
        raise ClusterError(f"{name} did not end:\n{json.dumps(status, indent=1)}\n{self.installation.logs()}")

    def download(self, prefix: str, directory: Path) -> None:
        """Write the parts below a prefix of the output bucket to a directory."""
        store = self.minio.store(OUTPUT, prefix)
        for name in [found["path"] for page in obstore.list(store) for found in page]:
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(bytes(obstore.get(store, name).bytes()))


def is_end(condition: Mapping[str, Any]) -> bool:
    """Tell whether a condition says that the run has ended."""
    return condition["type"] in ("Complete", "Failed") and condition["status"] == "True"


@contextmanager
def killing_the_operator(installation: Installation) -> Iterator[list[float]]:
    """Kill the operator every ten seconds. Yield the list of the moments."""
    ended, kills = Event(), list[float]()

    def strike() -> None:
        while not ended.wait(OPERATOR_KILL_SECONDS):
            delete_operator(installation)
            kills.append(time.monotonic())

    thread = Thread(target=strike, daemon=True)
    thread.start()
    try:
        yield kills
    finally:
        ended.set()
        thread.join()


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Bring cluster, MinIO and operator up, and take them away again."""
    chosen = provider.choose()
    if isinstance(chosen, provider.NoCluster):
        raise ClusterError(chosen.why)
    cluster = chosen.start()
    try:
        images = load_project_images(cluster)
        minio = deploy_store(cluster)
        installation = Installation.install(cluster, images, minio, f"s3://{WORK}/")
        yield Stage(cluster=cluster, installation=installation, minio=minio)
    finally:
        cluster.close()


def main(argv: Sequence[str]) -> int:
    """Run the examples asked for; 1 if one did not give what it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.pipelines", description=__doc__)
    names = [example.name for example in EXAMPLES]
    parser.add_argument("--only", action="append", choices=names, help="this example; may be repeated")
    chosen = parser.parse_args(argv).only or names
    outcomes = []
    with open_stage() as stage:
        for example in EXAMPLES:
            if example.name in chosen:
                say(f"{example.name} ...")
                outcomes.append(stage.rehearse(example))
    table = Table("example", "seconds", "kills of the operator", "iterations", "outputs")
    for each in outcomes:
        cells = (each.example, f"{each.seconds:.0f}", str(each.kills), each.iterations, each.problem or "as here")
        table.add_row(*cells, style="red" if each.problem else None)
    Console(width=120).print(table)
    return int(any(outcome.problem for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
