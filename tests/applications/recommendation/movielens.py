"""MovieLens 100k, which may not be redistributed: read from the wheel of a library that has it, kept in the test cache.

The wheel is downloaded once, pinned by its hash, and never installed. Where it cannot be had, there is no data.
"""

import csv
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

from tests.cluster.paths import CHECKOUT, cache_directory

__all__ = ["NoDataError", "draw_train", "load_ratings", "write_movielens"]

REQUIREMENTS = CHECKOUT / "requirements" / "data.txt"
FOLDER = "recbole/dataset_example/ml-100k/ml-100k"
RATINGS_MD5 = "6e47046882bad158b0efbb84cd5cb987"
"""Of the original u.data: the wheel's file without its header."""


class NoDataError(Exception):
    """The wheel is not in the cache, and cannot be downloaded."""


def find_wheel() -> Path:
    """The wheel in the cache, downloaded if it is not there."""
    directory = cache_directory() / "data"
    found = sorted(directory.glob("recbole-*.whl"))
    if not found:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--dest", str(directory), "-r", str(REQUIREMENTS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise NoDataError(f"MovieLens 100k cannot be downloaded: {done.stderr.strip().splitlines()[-1:]}")
        found = sorted(directory.glob("recbole-*.whl"))
    return found[0]


def load_ratings() -> list[list[str]]:
    """User, item, rating and time of each of the 100,000 ratings, in the order of the file."""
    with zipfile.ZipFile(find_wheel()) as wheel:
        text = wheel.read(f"{FOLDER}.inter").split(b"\n", 1)[1]
    digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
    if digest != RATINGS_MD5:
        raise NoDataError(f"MovieLens 100k has the MD5 {digest}, not {RATINGS_MD5}")
    return [line.split("\t") for line in text.decode().splitlines()]


def load_titles() -> list[tuple[str, str]]:
    """Item and title of each film."""
    with zipfile.ZipFile(find_wheel()) as wheel:
        lines = wheel.read(f"{FOLDER}.item").decode().splitlines()[1:]
    return [(fields[0], fields[1]) for fields in (line.split("\t") for line in lines)]


def draw_train() -> np.ndarray:
    """Which ratings, in the order of the file, the train part has."""
    return np.random.default_rng(0).random(100_000) < 0.8


def write_movielens(directory: Path) -> None:
    """Write the ratings and titles as the application reads them; `set` is a random 80/20 split, seeded."""
    rows = [
        (user, item, "rate", rating, time, "train" if train else "test")
        for (user, item, rating, time), train in zip(load_ratings(), draw_train(), strict=True)
    ]
    tables = {
        "events": [("user", "item", "type", "value", "time", "set"), *rows],
        "items": [("item", "title"), *load_titles()],
    }
    for name, table in tables.items():
        (directory / name).mkdir(parents=True)
        with (directory / name / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(table)
