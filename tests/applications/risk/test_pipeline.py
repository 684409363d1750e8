"""The whole pipeline on a small shop, by the command that people use, beside the same in one piece."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from podreduce_apps.catalog import find_pipeline
from podreduce_apps.risk.handbook import Shop
from podreduce_apps.risk.periods import DAY_SECONDS, day_number
from podreduce_apps.risk.provenance import code_digest
from podreduce_apps.risk.sample import write_data
from tests.applications.risk.in_one_piece import InOnePiece
from tests.support.podreduce_command import COMMAND

TINY = Shop(customers=120, terminals=240, first_day="2018-06-20", days=56, radius=29.0, seed=4)
SINGLE = ("report", "timelines", "boosted", "drift", "benford", "shared-devices")
"""Steps on which no alert depends, and one whose reduces import much: more tasks would only take time."""
SHARDS, PARTITIONS = 3, 2
LARGEST_STEP = "1.5"
"""The search for the weights ends after a few steps. That it converges is for test_logistic to see."""


def split_pipeline() -> dict[str, Any]:
    """Return the pipeline with the work of its steps cut into tasks; of those that read little into few only."""
    pipeline: dict[str, Any] = yaml.safe_load(find_pipeline("risk").read_text())
    for step in pipeline["spec"]["steps"]:
        most = SHARDS if "partitionKeyLength" in step.get("reduce", {}) else PARTITIONS
        if step["name"] not in SINGLE:
            step["map"] = {"shards": max(most, len(step["inputs"]))}
            step.setdefault("reduce", {}).setdefault("partitions", PARTITIONS)
    pipeline["spec"]["loops"][0]["until"][0]["than"] = LARGEST_STEP
    return pipeline


def run_command(file: Path, *words: str) -> None:
    """Run a pipeline that must complete."""
    done = subprocess.run(
        [*COMMAND, "run", str(file), *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run has read and written, and its parameters."""

    data: Path
    output: Path
    parameters: dict[str, str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("risk")
    data, output, file = root / "data", root / "output", root / "pipeline.json"
    write_data(data, TINY)
    pipeline = split_pipeline()
    file.write_text(json.dumps(pipeline))
    run_command(file, "-p", f"input={data}/", "-p", f"output={output}", "--keep", str(output / "kept"))
    return Run(data, output, pipeline["spec"]["parameters"])


def scored_rows(output: Path) -> list[dict]:
    return pq.read_table(output / "scored").sort_by("id").to_pylist()


def test_shards_and_partitions_do_not_change_a_digit(run: Run, tmp_path: Path) -> None:
    scored = InOnePiece(run.parameters, float(LARGEST_STEP), tmp_path).score(pq.read_table(run.output / "clean"))

    assert scored_rows(run.output) == scored.sort_by("id").to_pylist()
    events = (tmp_path / "alerts.jsonl").read_bytes()
    assert (run.output / "alerts/_files/alerts.jsonl").read_bytes() == events
    assert len(events.splitlines()) > 50


def test_the_probabilities_are_those_of_the_calibration(run: Run) -> None:
    rows = scored_rows(run.output)
    card = json.loads((run.output / "report/_files/model.json").read_text())

    found = card["calibration"]
    assert (found["kind"], found["days"], found["to"]) == ("Platt", 7, "2018-07-31")
    odds = [log(row["model_probability"] / (1 - row["model_probability"])) for row in rows]
    expected = [1 / (1 + exp(-found["slope"] * each - found["intercept"])) for each in odds]
    assert [row["probability"] for row in rows] == pytest.approx(expected, rel=1e-9)
    assert card["training"]["codeDigest"] == code_digest()
    assert card["evaluation"]["slices"].keys() == {"channel", "country", "amount"}


def test_no_card_number_is_in_anything_that_is_written(run: Run) -> None:
    numbers = (run.data / "transactions" / "01.csv").read_text().splitlines()[1:4000]
    cards = {row.split(",")[2].strip('"').encode() for row in numbers}
    files = [path for path in run.output.rglob("*") if path.is_file()]

    assert len(cards) > 100
    assert len(files) > 20
    assert [path for path in files if any(card in path.read_bytes() for card in cards)] == []
    assert pq.read_table(run.output / "scored")["card"].type == "int64"


def test_the_model_ranks_fraud_far_better_than_chance(run: Run) -> None:
    metrics = json.loads((run.output / "report/_files/metrics.json").read_text())

    assert metrics["quality"]["auc"] > 0.7
    assert metrics["quality"]["averagePrecision"] > 10 * metrics["frauds"] / metrics["rows"]
    assert metrics["protocol"]["delayDays"] == 7


def test_the_report_loads_nothing_from_anywhere(run: Run) -> None:
    page = (run.output / "report/_files/report.html").read_text()

    assert "default-src 'none'" in page
    assert [part for part in ("src=", "<link", "@import", "url(http") if part in page] == []
    assert "Whom to call first" in page


def test_data_are_always_the_same(tmp_path: Path) -> None:
    digests = []
    for name in ("a", "b"):
        write_data(tmp_path / name, TINY)
        files = sorted(path for path in (tmp_path / name).rglob("*.csv"))
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])

    assert digests[0] == digests[1]
    assert len(digests[0]) == 3


DAY = "2018-08-12"
DAY_START = day_number(DAY, "day") * DAY_SECONDS


def write_day(data: Path, directory: Path) -> None:
    """Write the day's transactions, and all reports, as they come to a daily run."""
    days = [path.read_text().splitlines() for path in sorted((data / "transactions").glob("*.csv"))]
    lines = [line for text in days for line in text[1:] if line.split(",")[1].startswith(f'"{DAY}')]
    place = directory / "transactions" / f"day={DAY}" / "today.csv"
    place.parent.mkdir(parents=True)
    place.write_text("\n".join([days[0][0], *lines]) + "\n")
    (directory / "reports" / f"day={DAY}").mkdir(parents=True)
    shutil.copy(data / "labels" / "reports.csv", directory / "reports" / f"day={DAY}" / "reports.csv")


def daily_pipeline(directory: Path) -> Path:
    """Write the pipeline that the schedule makes on the day after, and return its file."""
    template = yaml.safe_load(find_pipeline("risk").with_name("schedule.yaml").read_text())["spec"]["pipelineTemplate"]
    spec = template["spec"]
    spec["parameters"] |= {"scoreFrom": DAY, "previousDay": "2018-08-11"}
    resource = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReducePipeline", "metadata": {"name": "risk-daily"}}
    path = directory / "daily.yaml"
    path.write_text(yaml.safe_dump({**resource, "spec": spec}))
    return path


def test_a_daily_run_on_the_state_of_the_day_before_gives_what_the_whole_history_gives(
    run: Run, tmp_path: Path
) -> None:
    write_day(run.data, tmp_path)
    past = pq.read_table(run.output / "clean")
    (tmp_path / "state" / "day=2018-08-11").mkdir(parents=True)
    before = past.filter(pc.less(past["time"], DAY_START))
    pq.write_table(before, tmp_path / "state" / "day=2018-08-11" / "part.parquet")
    places = {"input": f"{tmp_path}/", "state": f"{tmp_path}/state/", "model": run.output, "output": tmp_path / "daily"}
    words = [word for name, value in places.items() for word in ("-p", f"{name}={value}")]

    run_command(daily_pipeline(tmp_path), *words)

    found = scored_rows(tmp_path / "daily" / f"day={DAY}")
    assert found == [row for row in scored_rows(run.output) if row["time"] // DAY_SECONDS * DAY_SECONDS == DAY_START]
    assert len(found) > 100
    state = pq.read_table(tmp_path / "state" / f"day={DAY}")
    assert pc.max(state["time"]).as_py() >= DAY_START
    assert state.num_rows < past.num_rows
