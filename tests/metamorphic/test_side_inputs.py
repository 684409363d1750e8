"""A side input and files beside the parts are the same in every tier, for all shards, partitions and processes."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.task import CommitRecord, OutputManifest
from podreduce.contract.wire import decode, digest_bytes
from podreduce.storage import open_store
from tests.metamorphic.data import Input, Shape
from tests.metamorphic.engine import JobRun, StartTask, start_here
from tests.metamorphic.job import Job
from tests.metamorphic.layout import Layout, limited
from tests.metamorphic.processes import placed, start_by_server, start_cold
from tests.metamorphic.programs import Program
from tests.support.pairs_oracle import write_pairs

WORDS = [f"word{number * number % 37}" for number in range(300)]
WEIGHTS = {f"word{number}": number * 7 + 1 for number in range(37)}

SETUP = """
class Job:
    def setup(self, context):
        self.context, self.lines = context, []
        {}
    def teardown(self):
        if self.lines:
            text = "".join(sorted(self.lines))
            self.context.output_file(f"lines/{{self.context.task}}.txt").write_text(text)
"""
TOLD = "self.lines.append(f'{key} {total}\\n')"
REDUCE = f"""
    def reduce_func(self, key, values):
        total = 0
        for value in values:
            total += value
        {TOLD}
        yield key, total
"""
ROWS = "self.weights = dict(context.side_input('weights'))"
MAP = "    def map_func(self, key, value):\n        yield value, self.weights[value]\n"
COLUMNS = """
    def map_batch(self, batch):
        import pyarrow as pa, pyarrow.compute as pc
        places = pc.index_in(batch["value"], value_set=self.weights["key"].combine_chunks())
        return pa.table({"key": batch["value"], "value": self.weights["value"].combine_chunks().take(places)})
"""
TIERS = {
    "rows": SETUP.format(ROWS) + MAP + REDUCE,
    "declared": SETUP.format(ROWS) + MAP + '    combiner = "sum"\n',
    "columns to rows": SETUP.format("self.weights = context.side_table('weights')") + COLUMNS + REDUCE,
    "columns": SETUP.format("self.weights = context.side_table('weights')") + COLUMNS + '    combiner = "sum"\n',
    "map-only": SETUP.format(ROWS)
    + "    def map_func(self, key, value):\n        total = self.weights[value]\n"
    + f"        {TOLD.replace('{key}', '{value}')}\n        yield value, total\n",
}
LAYOUTS = {
    "one task": Layout(shards=1, partitions=1),
    "three by two": Layout(shards=3, partitions=2),
    "eight by five": Layout(shards=8, partitions=5, limits={"block bytes": 64}),
}
STARTS: dict[str, Callable[[Path], StartTask]] = {"cold": start_cold, "forked": start_by_server}


@dataclass(frozen=True, slots=True, kw_only=True)
class SideJob(Job):
    """A job with a side input of two objects, which lie beside the input."""

    def spec(self, root: str, *, shards: int | None, partitions: int | None, inputs: int = 1) -> dict[str, Any]:
        weights = {"name": "weights", "uris": [f"{root}weights/"], "format": "Pairs", "encodingErrors": "Strict"}
        spec = Job.spec(self, root, shards=shards, partitions=partitions, inputs=inputs)
        return {**spec, "sideInputs": [weights]}


def job_of(tier: str) -> SideJob:
    source = TIERS[tier]
    shape = Shape(format="Text")
    program = Program(map=tier, reduce="sum", source=source, plain=source, key_kind="plain", value_kind="int")
    data = Input(shape=shape, spec={"format": "Text"}, objects={"0.data": "\n".join(WORDS).encode()})
    return SideJob(seed=-1, shape=shape, input=data, program=program, output="JSONLines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gave:
    """What a run gave: the lines of its parts, and those of its files, in any order."""

    records: Counter[tuple[str, int]]
    lines: Counter[str]


def run(tier: str, layout: Layout, place: Path, start: StartTask) -> Gave:
    root = f"file://{place}/data/"
    weights = list(WEIGHTS.items())
    for number, pairs in enumerate((weights[:20], weights[20:])):
        open_store(root).put(f"weights/part-{number}.pairs", write_pairs(pairs, frame_records=7))
    if tier == "map-only":
        layout = Layout(shards=layout.shards, partitions=0, limits=layout.limits)
    JobRun(job=job_of(tier), layout=layout, root=root, start=start).finish()
    output = open_store(f"{root}out/")
    manifest = decode(output.get("_MANIFEST.json"), OutputManifest)
    texts = {each.name: output.get(each.name) for each in manifest.files}
    assert {found.key for found in output.list("_files/")} == {*texts}
    assert [(each.bytes, each.sha256) for each in manifest.files] == [
        (len(text), digest_bytes(text)) for text in texts.values()
    ]
    read = [json.loads(line) for part in manifest.parts for line in output.get(part.name).splitlines()]
    lines = [line for text in texts.values() for line in text.decode().splitlines()]
    return Gave(records=Counter((each["key"], each["value"]) for each in read), lines=Counter(lines))


def wanted(tier: str) -> Gave:
    times = Counter(WORDS)
    if tier == "map-only":
        records = Counter({(word, WEIGHTS[word]): count for word, count in times.items()})
    else:
        records = Counter({(word, WEIGHTS[word] * count): 1 for word, count in times.items()})
    has_lines = "combiner" not in TIERS[tier]
    lines = {f"{word} {total}": count for (word, total), count in records.items()} if has_lines else {}
    return Gave(records=records, lines=Counter(lines))


def start_here_in(directory: Path) -> StartTask:
    """What runs each task in this process, with a scratch directory of its own."""

    def start(environment: TaskEnvironment) -> CommitRecord:
        return start_here(placed(environment, directory))

    return start


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_and_layout_gives_the_same(tier: str, layout: Layout, tmp_path: Path) -> None:
    with limited(layout):
        assert run(tier, layout, tmp_path, start_here_in(tmp_path)) == wanted(tier)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(("tier", "made"), [("rows", "weights"), ("columns to rows", "weights.arrow")])
def test_processes_that_share_what_the_first_has_made_give_the_same(
    tier: str, made: str, start: str, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert run(tier, Layout(shards=2, partitions=2), tmp_path, STARTS[start](scratch)) == wanted(tier)
    found = [path.name for path in (scratch / "side-inputs").glob("*/*") if path.suffix != ".lock"]
    assert found == [made]
