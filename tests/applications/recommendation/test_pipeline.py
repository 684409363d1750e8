"""The whole pipeline on a small shop, by the command that people use."""

import csv
import json
import subprocess
from collections import Counter
from pathlib import Path
from statistics import pstdev
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from podreduce_apps.catalog import find_pipeline
from podreduce_apps.recommendation.sample import item_name, make_shop
from tests.support.podreduce_command import COMMAND

USERS = 300
FILES = ("report/_files/metrics.json", "report/_files/report.html")
COLUMNS = {
    "neighbours": ["item", "title", "rank", "neighbour", "neighbour_title", "score"],
    "recommendations": ["user", "rank", "item", "title", "score", "reason_item", "reason_title"],
}


def write_shop(directory: Path) -> None:
    """A shop with two lines that no program can use, and titles for all items but one."""
    shop = make_shop(USERS, seed=3)
    for name, header, rows in (
        (
            "events",
            ("user", "item", "type", "value", "time"),
            [*shop.events, ("u00001", "i0001"), ("", "", "", "", "x")],
        ),
        ("items", ("item", "title"), [(item_name(n), title) for n, title in enumerate(shop.titles)][1:]),
    ):
        (directory / name).mkdir(parents=True)
        with (directory / name / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *rows])


def layout(shards: int, partitions: int) -> list[str]:
    """The settings that cut the work of all steps. A step has at least a shard for each of its inputs."""
    spec = yaml.safe_load(find_pipeline("recommendation").read_text("utf-8"))["spec"]
    settings = []
    for place, step in enumerate(spec["steps"]):
        most = partitions if place else shards
        settings.append(f"spec.steps[{place}].map.shards={max(most, len(step['inputs']))}")
        if "partitions" not in step.get("reduce", {}):
            settings.append(f"spec.steps[{place}].reduce.partitions={partitions}")
    return settings


def run_pipeline(data: Path, output: Path, shards: int, partitions: int) -> None:
    sets = [word for setting in layout(shards, partitions) for word in ("--set", setting)]
    command = [*COMMAND, "run", str(find_pipeline("recommendation"))]
    parameters = ["-p", f"input={data}/", "-p", f"output={output}"]
    done = subprocess.run([*command, *parameters, *sets], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The directories of two runs, by their shards. What follows `clean` has as many shards as that has partitions.

    `make applications` compares eight shards on more data.
    """
    root = tmp_path_factory.mktemp("recommendation")
    write_shop(root / "data")
    for shards, partitions in ((1, 1), (3, 2)):
        run_pipeline(root / "data", root / f"{shards}", shards, partitions)
    return {shards: root / f"{shards}" for shards in (1, 3)}


def rows_of(output: Path, table: str) -> list[dict[str, Any]]:
    return pq.read_table(output / table).sort_by([(COLUMNS[table][0], "ascending"), ("rank", "ascending")]).to_pylist()


def metrics_of(output: Path) -> dict[str, Any]:
    return json.loads((output / FILES[0]).read_text("utf-8"))


def test_shards_and_partitions_do_not_change_a_digit(runs: dict[int, Path]) -> None:
    for table in COLUMNS:
        assert rows_of(runs[3], table) == rows_of(runs[1], table)
    for file in FILES:
        assert (runs[3] / file).read_bytes() == (runs[1] / file).read_bytes(), file
    assert len(list((runs[3] / "recommendations").glob("part-*"))) == 2


def test_tables_have_their_columns_and_every_user_has_a_full_list_of_items_that_are_new(runs: dict[int, Path]) -> None:
    shop = make_shop(USERS, seed=3)
    rows = rows_of(runs[1], "recommendations")
    for table, columns in COLUMNS.items():
        assert pq.read_table(runs[1] / table).column_names == columns
    per_user = Counter(row["user"] for row in rows)
    assert set(per_user) == {user for user, *_ in shop.events}
    assert set(per_user.values()) == {20}
    cut = sorted(int(time) for *_, time in shop.events)[: len(shop.events) // 2]
    had = {(user, item) for user, item, _, _, time in shop.events if int(time) <= cut[-1]}
    assert {(row["user"], row["item"]) for row in rows}.isdisjoint(had)
    assert {row["title"] for row in rows} <= {*shop.titles, "i0000"}


def test_items_that_are_bought_together_are_each_others_nearest(runs: dict[int, Path]) -> None:
    shop = make_shop(USERS, seed=3)
    nearest = {row["item"]: row["neighbour"] for row in rows_of(runs[1], "neighbours") if row["rank"] == 1}
    found = [nearest.get(item_name(second)) == item_name(first) for first, second in shop.pairs]
    assert sum(found) >= len(found) * 3 / 4, found


def test_the_lists_beat_popular_items_and_these_beat_chance(runs: dict[int, Path]) -> None:
    models = metrics_of(runs[1])["models"]
    ndcg = {name: model["measures"]["ndcg@10"]["mean"] for name, model in models.items()}
    assert ndcg["item-knn"] > ndcg["popularity"] > ndcg["random"]
    assert min(ndcg["ease"], ndcg["als"]) > ndcg["popularity"]
    assert models["random"]["coverage"] > models["popularity"]["coverage"]


def test_ratings_are_predicted_better_than_by_their_mean(runs: dict[int, Path]) -> None:
    metrics, shop = metrics_of(runs[1]), make_shop(USERS, seed=3)
    values = [float(value) for *_, value, _ in shop.events if value]
    found = metrics["ratings"]["als"]
    assert found["ratings"] == metrics["data"]["ratings to predict"] > 100
    assert found["rootMeanSquareError"] < pstdev(values)
    assert f"{found['rootMeanSquareError']:.3f}" in (runs[1] / FILES[1]).read_text("utf-8")


def test_the_report_names_what_was_read_and_left_out_and_how_it_was_measured(runs: dict[int, Path]) -> None:
    metrics, page = metrics_of(runs[1]), (runs[1] / FILES[1]).read_text("utf-8")
    events = len(make_shop(USERS, seed=3).events)
    clean, data = metrics["clean"], metrics["data"]
    assert clean["events read"] == events + 1
    assert clean["no user"] == 1
    assert clean["events used"] + clean["events merged"] == events
    assert data["events to learn from"] + data["events to predict"] <= clean["events used"]
    assert metrics["protocol"].startswith("Full ranking")
    assert metrics["protocol"] in page
    assert page.count('<article class="user">') == 20
    assert [part for part in ("src=", "<link", "@import", "url(http", "<script") if part in page] == []
