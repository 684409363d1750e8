"""Every program of docs/migration.md runs, and gives what the program that it replaces gives."""

import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.task_runs import TaskRun

PAGE = (Path(__file__).parents[3] / "docs" / "migration.md").read_text(encoding="utf-8")
BLOCKS: Mapping[str, str] = dict(re.findall(r"<!-- ((?:before|after): .+?) -->\n```python\n(.*?)```", PAGE, re.DOTALL))

TEXT = "The cat and the dog\nthe Cat\n\nand a dog, the end\n"
DEGREES = "oslo,1,-3.5\nrome,1,21\noslo,2,4.5\nrome,2,22\noslo,3,2\nbern,1,9\n"
VISITS = "ann,30,c\nbob,9,x\nann,4,a\nbob,10,y\nann,200,d\ncy,1,z\n"
USERS = "ann,Ann A\nbob,Bob B\ncy,Cy C\n"
ORDERS = "ann,shoes\ndan,hat\ncy,belt\nann,socks\n"


def run_before(name: str, text: str) -> str:
    """Run a script of the page as Hadoop Streaming does: it reads lines, and prints lines."""
    command = [sys.executable, "-c", BLOCKS[f"before: {name}"]]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def stream(name: str, text: str) -> list[str]:
    """Return what a mapper and a reducer print, with the lines sorted between them."""
    mapped = sorted(run_before(f"{name} mapper", text).splitlines(keepends=True))
    return run_before(f"{name} reducer", "".join(mapped)).splitlines()


class MRJob:
    """What the page's program needs of its base class: its methods are called by `call_mrjob`."""

    @classmethod
    def run(cls) -> None:
        raise AssertionError("a job that is imported does not run itself")


def call_mrjob(text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Call the page's mrjob program as mrjob does: a combiner over each map's pairs, and a reducer over all."""
    module = ModuleType("mrjob.job")
    module.__dict__["MRJob"] = MRJob
    monkeypatch.setitem(sys.modules, "mrjob", ModuleType("mrjob"))
    monkeypatch.setitem(sys.modules, "mrjob.job", module)
    names: dict[str, Any] = {"__name__": "imported"}
    exec(BLOCKS["before: mrjob-wordcount"], names)  # noqa: S102 - the page's program
    job = names["MRWordCount"]()
    pairs = [pair for line in text.splitlines() for pair in job.mapper(None, line)]
    for step in (job.combiner, job.reducer):
        pairs = list(call_by_key(step, pairs))
    return [f"{word}\t{count}" for word, count in pairs]


def call_by_key(step: Callable[[str, Iterator[int]], Iterable[tuple[str, int]]], pairs: Any) -> Iterator[Any]:
    for key, group in groupby(sorted(pairs), key=lambda pair: pair[0]):
        yield from step(key, (value for _, value in group))


def run_after(name: str, objects: Mapping[str, str], **changes: Any) -> list[str]:
    """Run the page's program over three shards and two partitions, and return its lines, sorted."""
    data = {key: text.encode() for key, text in objects.items()}
    size = sum(map(len, data.values()))
    (title,) = [title for title in BLOCKS if title.split(" ")[:2] == ["after:", name]]
    if title.endswith("reduce.partitionKeyLength=1"):
        changes["partition_key_length"] = 1
    cuts = [size // 3, 2 * size // 3]
    return sorted(TaskRun(source=BLOCKS[title], objects=data, cuts=cuts, plan_changes=changes).output_lines())


def test_mrjobs_word_count(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sorted(call_mrjob(TEXT, monkeypatch))
    assert "the\t4" in expected
    assert run_after("mrjob-wordcount", {"a": TEXT}) == expected


def test_a_mean_of_hadoop_streaming() -> None:
    expected = stream("streaming-mean", DEGREES)
    assert expected == ["bern\t9.0", "oslo\t1.0", "rome\t21.5"]
    assert run_after("streaming-mean", {"a": DEGREES}) == expected


def test_the_secondary_sort_keeps_the_first_page_by_time() -> None:
    first: dict[str, tuple[int, str]] = {}
    for line in VISITS.splitlines():
        user, time, page = line.split(",")
        first[user] = min(first.get(user, (1 << 30, "")), (int(time), page))
    assert run_after("streaming-first", {"a": VISITS}) == sorted(f"{user}\t{page}" for user, (_, page) in first.items())


def test_the_word_count_of_rdds() -> None:
    expected = Counter(TEXT.split())
    assert run_after("spark-wordcount", {"a": TEXT}) == sorted(f"{word}\t{count}" for word, count in expected.items())


def test_the_join_of_rdds() -> None:
    names = dict(line.split(",") for line in USERS.splitlines())
    orders = defaultdict(list)
    for line in ORDERS.splitlines():
        user, order = line.split(",")
        orders[user].append(order)
    expected = [f'{user}\t["{names[user]}","{order}"]' for user in names for order in orders[user]]
    assert len(expected) == 3
    assert run_after("spark-join", {"orders/a": ORDERS, "users/a": USERS}) == sorted(expected)


def test_every_program_of_the_page_has_a_test() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    names = {title.split(" ")[1] for title in BLOCKS if title.startswith("after: ")}
    assert names == set(re.findall(r'run_after\(\s*"([\w-]+)"', source))
    python = re.findall(r"^```python$", PAGE, re.MULTILINE)
    assert len(python) == len(BLOCKS)
