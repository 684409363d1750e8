"""The examples of machine learning as a person runs them: the real command, real processes, oracles by other means."""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import yaml

from examples.duplicates.plant import plant
from tests.support.pipeline_commands import EXAMPLES, run
from tests.support.pipeline_oracles import expected_authors

SIMILAR = 0.8
SHORT = {"short": "one two", "shorter": "One", "empty": "", "signs": "!?", "again": "ONE, two!"}


def load(name: str, shards: int) -> dict[str, Any]:
    """Return an example's pipeline, with so many shards for each step, or one for each of its inputs."""
    manifest: dict[str, Any] = yaml.safe_load((EXAMPLES / name / "pipeline.yaml").read_text())
    for step in manifest["spec"]["steps"]:
        step["map"] = {"shards": max(shards, len(step["inputs"]))}
    return manifest


def run_example(here: Path, manifest: dict[str, Any], **parameters: object) -> None:
    """Run a pipeline, which must complete."""
    (here / "tmp").mkdir(exist_ok=True)
    named = [part for name, value in parameters.items() for part in ("-p", f"{name}={value}")]
    done, _ = run(here, manifest, *named)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shards", [1, 8])
def test_authors_are_told_apart_as_scikit_learn_does_it(tmp_path: Path, shards: int) -> None:
    books = EXAMPLES / "wordcount" / "books"
    run_example(tmp_path, load("authors", shards), books=books, judged="judged/", score="score/")
    with (tmp_path / "judged" / "part-r-00000.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = expected_authors(books)
    assert {(row["book"], int(row["passage"])): row["judged"] for row in rows} == {
        key: book for key, (book, _) in expected.items()
    }
    for row in rows:
        assert float(row["margin"]) == pytest.approx(expected[row["book"], int(row["passage"])][1], abs=1e-9)
    assert sum(row["book"] == row["judged"] for row in rows) == 601


def write_texts(directory: Path, texts: Mapping[str, str]) -> None:
    """Write texts as three files of JSON lines."""
    directory.mkdir()
    lines = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    for number in range(3):
        (directory / f"{number}.jsonl").write_text("".join(f"{line}\n" for line in lines[number::3]))


def read_kept(directory: Path) -> dict[str, str]:
    """Return the texts that were kept."""
    lines = [line for path in sorted(directory.glob("part-*")) for line in path.read_text().splitlines()]
    records = [json.loads(line) for line in lines]
    assert len({record["key"] for record in records}) == len(records)
    return {record["key"]: record["value"] for record in records}


def read_dropped(directory: Path) -> dict[str, str]:
    """Return the text that is kept for each one that was dropped."""
    rows = [row for path in sorted(directory.glob("part-*")) for row in csv.DictReader(path.read_text().splitlines())]
    assert len({row["dropped"] for row in rows}) == len(rows)
    return {row["dropped"]: row["kept"] for row in rows}


def find_similar(texts: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return all pairs of texts with so many shingles in common, by looking at each pair that has one in common."""
    shingles = {}
    for name, text in texts.items():
        words = re.findall(r"\w+", text.lower())
        shingles[name] = {tuple(words[at : at + 3]) for at in range(max(len(words) - 2, 1))}
    having: dict[tuple[str, ...], list[str]] = {}
    for name, its in shingles.items():
        for shingle in its:
            having.setdefault(shingle, []).append(name)
    shared = Counter(pair for names in having.values() for pair in combinations(sorted(names), 2))
    return {
        (one, other)
        for (one, other), count in shared.items()
        if count >= SIMILAR * len(shingles[one] | shingles[other])
    }


def check_groups(texts: Mapping[str, str], kept: Mapping[str, str], dropped: Mapping[str, str]) -> float:
    """Check that each text is kept, or dropped for a similar one. Return the share of similar pairs that were found."""
    assert kept.keys() | dropped.keys() == texts.keys()
    assert not kept.keys() & dropped.keys()
    assert all(text == texts[name] for name, text in kept.items())
    similar = find_similar(texts)
    graph = nx.Graph(similar)
    for name, first in dropped.items():
        assert first in kept
        assert first < name
        assert nx.has_path(graph, first, name)
    return sum(dropped.get(one, one) == dropped.get(other, other) for one, other in similar) / len(similar)


@pytest.mark.parametrize("shards", [1, 3])
def test_texts_that_are_nearly_the_same_are_dropped_and_no_others(tmp_path: Path, shards: int) -> None:
    texts = dict(islice(plant(), 1000)) | SHORT
    write_texts(tmp_path / "texts", texts)
    run_example(tmp_path, load("duplicates", shards), texts="texts/", kept="kept/", dropped="dropped/")
    dropped = read_dropped(tmp_path / "dropped")
    assert check_groups(texts, read_kept(tmp_path / "kept"), dropped) >= 0.99
    assert len(dropped) > 100
    assert {dropped[name] for name in ("short", "signs")} == {"again", "empty"}


def test_texts_of_which_none_is_like_another_are_all_kept(tmp_path: Path) -> None:
    texts = {"a": "the quick brown fox", "b": "jumps over the dog", "c": ""}
    write_texts(tmp_path / "texts", texts)
    run_example(tmp_path, load("duplicates", 1), texts="texts/", kept="kept/", dropped="dropped/")
    assert read_kept(tmp_path / "kept") == texts
    assert read_dropped(tmp_path / "dropped") == {}
