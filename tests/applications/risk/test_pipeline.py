"""The whole pipeline on a small shop, by the command that people use."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from podreduce_apps.catalog import find_pipeline
from podreduce_apps.risk.handbook import Shop
from podreduce_apps.risk.periods import DAY_SECONDS, day_number
from podreduce_apps.risk.sample import write_data

TINY = Shop(customers=250, terminals=500, first_day="2018-06-20", days=56, radius=20.0, seed=3)
COMMAND = (sys.executable, "-m", "podreduce_operator.cli.app", "run")
SINGLE = ("report", "timelines")
"""Steps that read little: more tasks would only take time."""


def layout(shards: int, partitions: int) -> list[str]:
    """Return the settings that cut the work of all steps; of those that read little into few tasks only."""
    spec = yaml.safe_load(find_pipeline("risk").read_text())["spec"]
    settings = []
    for number, step in enumerate(spec["steps"]):
        most = shards if "partitionKeyLength" in step.get("reduce", {}) else min(shards, 2)
        if step["name"] not in SINGLE:
            settings.append(f"spec.steps[{number}].map.shards={max(most, len(step['inputs']))}")
        if "partitions" not in step.get("reduce", {}):
            settings.append(f"spec.steps[{number}].reduce.partitions={partitions}")
    return settings


def run_pipeline(data: Path, output: Path, *more: str, shards: int, partitions: int) -> None:
    command = [*COMMAND, str(find_pipeline("risk"))]
    parameters = ["-p", f"input={data}/", "-p", f"output={output}", *more]
    sets = [word for setting in layout(shards, partitions) for word in ("--set", setting)]
    done = subprocess.run([*command, *parameters, *sets], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Return the directories of two runs, by their shards."""
    root = tmp_path_factory.mktemp("risk")
    write_data(root / "data", TINY)
    run_pipeline(root / "data", root / "1", "--keep", str(root / "1" / "kept"), shards=1, partitions=1)
    run_pipeline(root / "data", root / "3", "--to", "alerts", shards=3, partitions=2)
    return {1: root / "1", 3: root / "3"}


def scored_rows(output: Path) -> list[dict]:
    return pq.read_table(output / "scored").sort_by("id").to_pylist()


def test_shards_and_partitions_do_not_change_a_digit(runs: dict[int, Path]) -> None:
    assert scored_rows(runs[1]) == scored_rows(runs[3])
    events = "alerts/_files/alerts.jsonl"
    assert (runs[1] / events).read_bytes() == (runs[3] / events).read_bytes()
    assert len((runs[1] / events).read_text().splitlines()) > 50


def test_no_card_number_is_in_anything_that_is_written(runs: dict[int, Path]) -> None:
    numbers = (runs[1].parent / "data" / "transactions" / "01.csv").read_text().splitlines()[1:400]
    cards = {row.split(",")[2].strip('"').encode() for row in numbers}
    files = [path for path in runs[1].rglob("*") if path.is_file()]

    assert len(cards) > 100
    assert len(files) > 20
    assert [path for path in files if any(card in path.read_bytes() for card in cards)] == []
    assert pq.read_table(runs[1] / "scored")["card"].type == "int64"


def test_the_model_ranks_fraud_far_better_than_chance(runs: dict[int, Path]) -> None:
    metrics = json.loads((runs[1] / "report/_files/metrics.json").read_text())

    assert metrics["quality"]["auc"] > 0.7
    assert metrics["quality"]["averagePrecision"] > 10 * metrics["frauds"] / metrics["rows"]
    assert metrics["protocol"]["delayDays"] == 7


def test_the_report_loads_nothing_from_anywhere(runs: dict[int, Path]) -> None:
    page = (runs[1] / "report/_files/report.html").read_text()

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
    runs: dict[int, Path], tmp_path: Path
) -> None:
    write_day(runs[1].parent / "data", tmp_path)
    past = pq.read_table(runs[1] / "clean")
    (tmp_path / "state" / "day=2018-08-11").mkdir(parents=True)
    before = past.filter(pc.less(past["time"], DAY_START))
    pq.write_table(before, tmp_path / "state" / "day=2018-08-11" / "part.parquet")
    places = {"input": f"{tmp_path}/", "state": f"{tmp_path}/state/", "model": runs[1], "output": tmp_path / "daily"}
    words = [word for name, value in places.items() for word in ("-p", f"{name}={value}")]

    done = subprocess.run(
        [*COMMAND, str(daily_pipeline(tmp_path)), *words], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = scored_rows(tmp_path / "daily" / f"day={DAY}")
    assert found == [row for row in scored_rows(runs[1]) if row["time"] // DAY_SECONDS * DAY_SECONDS == DAY_START]
    assert len(found) > 100
    state = pq.read_table(tmp_path / "state" / f"day={DAY}")
    assert pc.max(state["time"]).as_py() >= DAY_START
    assert state.num_rows < past.num_rows
