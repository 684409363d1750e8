"""Alternating least squares of the same ratings by the application and by Spark's own library, both from CSV to error.

Factors, rounds and penalty are the same: both add the penalty once for each rating (ALS-WR). Ours factors what a
baseline leaves of the ratings, and may end before the last round; Spark factors the ratings themselves.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import yaml

from podreduce_apps.catalog import find_pipeline
from podreduce_apps.recommendation.leaderboard import read_sums
from podreduce_apps.recommendation.rating_errors import rating_errors
from tests.applications.recommendation.factor_data import plant_ratings
from tests.applications.recommendation.runs import run_file
from tests.bench.paths import PEER_PYTHON, PEERS
from tests.bench.peers_installed import has_package

__all__ = ["FACTORS", "NOISE", "PENALTY", "ROUNDS", "find_error", "run_spark", "why_no_spark", "write_ratings"]

FACTORS, ROUNDS, PENALTY, NOISE = 10, 10, 0.1, 0.5
FILES = 4
SETTINGS = {
    "split": "given",
    "ratingFactors": str(FACTORS),
    "ratingPenalty": str(PENALTY),
    "alsRounds": str(ROUNDS),
    "alsFactors": "1",  # of the model of choices, which Spark does not make
}


def write_ratings(directory: Path, users: int, items: int, share: float) -> int:
    """Write ratings whose factors are planted, a fifth of them to be predicted; return how many there are."""
    ratings = plant_ratings(users, items, FACTORS, share=share, noise=NOISE, seed=8)
    owners, chosen = np.nonzero(np.isfinite(ratings))
    parts = np.where(np.random.default_rng(9).random(len(owners)) < 0.8, "train", "test")
    table = pa.table(
        {
            "user": owners,
            "item": chosen,
            "time": np.full(len(owners), 1_700_000_000) + np.arange(len(owners)),
            "value": np.round(ratings[owners, chosen], 4),
            "set": parts,
        }
    )
    for name in ("events", "items"):
        (directory / name).mkdir(parents=True)
    (directory / "items" / "items.csv").write_text("item,title\n")
    for number, part in enumerate(np.array_split(np.arange(len(owners)), FILES)):
        pa_csv.write_csv(table.take(pa.array(part)), directory / "events" / f"{number}.csv")
    return len(owners)


def find_error(data: Path, directory: Path, **changed: str) -> tuple[float, float]:
    """Run the application up to the step `rate`; return the seconds, and the root mean square error."""
    pipeline = yaml.safe_load(find_pipeline("recommendation").read_text("utf-8"))
    (rate,) = (step for step in pipeline["spec"]["steps"] if step["name"] == "rate")
    rate["output"] = {"uri": f"{directory}/rate/", "format": "JSONLines"}
    directory.mkdir(parents=True)
    file = directory / "pipeline.json"
    file.write_text(json.dumps(pipeline))
    seconds = run_file(file, data, directory, {**SETTINGS, **changed}, "--to", "rate")
    lines = [line for part in sorted((directory / "rate").glob("part-*")) for line in part.read_text().splitlines()]
    rows = [json.loads(line) for line in lines]
    sums = read_sums({row["key"]: row["value"] for row in rows})
    return seconds, rating_errors(sums)["als"].root_mean_square


def why_no_spark() -> str | None:
    """Return what is missing for Spark; None if it can run."""
    missing = [] if shutil.which("java") else ["java"]
    missing += [] if has_package("pyspark") else ["pyspark"]
    missing += [] if has_package("numpy") else ["numpy"]
    return ", ".join(missing) or None


def run_spark(data: Path, directory: Path) -> tuple[float, float]:
    """Run Spark's program on the same files; return the seconds with its start, and the root mean square error."""
    target = directory / "spark-error"
    words = [f"{data}/events", str(target), str(FACTORS), str(ROUNDS), str(PENALTY)]
    command = [str(PEER_PYTHON), str(PEERS / "spark_als.py"), *words]
    environ = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(directory)}
    environ |= {"PYSPARK_PYTHON": str(PEER_PYTHON)}
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environ)
    return time.perf_counter() - start, float(target.read_text())
