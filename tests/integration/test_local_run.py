"""`podreduce run` as a person starts it: the real command, real processes, a directory or MinIO for the data."""

import contextlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest

from tests.cluster.minio import MinioServer
from tests.support.podreduce_command import COMMAND

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 120

JOB: dict[str, Any] = {
    "apiVersion": "podreduce.dev/v1beta1",
    "kind": "MapReduceJob",
    "metadata": {"name": "job"},
    "spec": {
        "program": {"source": "class Lines:\n    def map_func(self, key, value):\n        yield value, 1\n"},
        "input": {"uris": ["in/"]},
        "output": {"uri": "out/"},
        "reduce": {"partitions": 1},
    },
}

SLOW = """
import subprocess, time
class Slow:
    def setup(self, context):
        print("child", subprocess.Popen(["sleep", "300"]).pid, flush=True)
    def map_func(self, key, value):
        time.sleep(0.5)
        yield value, 1
    def reduce_func(self, key, values):
        yield key, sum(values)
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with an input of 100 lines and an empty one for temporary files."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "numbers.txt").write_text("".join(f"{number}\n" for number in range(100)))
    (tmp_path / "tmp").mkdir()
    return tmp_path


def environ(here: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(here / "tmp"), **more}


def podreduce(here: Path, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(
        command, cwd=here, env=environ(here, **more), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def write_job(here: Path, name: str = "job.json", **spec: Any) -> Path:
    path = here / name
    path.write_text(json.dumps({**JOB, "spec": {**JOB["spec"], **spec}}))
    return path


def source(text: str) -> dict[str, str]:
    return {"source": text}


def read_output(directory: Path) -> list[str]:
    parts = sorted(directory.glob("part-*"))
    return [line for part in parts for line in part.read_text(encoding="utf-8").split("\n")[:-1]]


def leftovers(here: Path) -> list[str]:
    """What lies about that should not: temporary files, staging, claims."""
    staged = [path.name for path in (here / "out").glob("_podreduce*")] if (here / "out").exists() else []
    return [path.name for path in (here / "tmp").iterdir()] + staged


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def test_word_count_equals_a_counter(here: Path) -> None:
    books = EXAMPLES / "wordcount" / "books"
    ran = podreduce(here, "run", EXAMPLES / "wordcount" / "job.yaml", "--input", books, "--output", "out")
    assert ran.returncode == 0, ran.stderr
    expected: Counter[str] = Counter()
    for book in books.iterdir():
        expected.update(book.read_text(encoding="utf-8").split())
    lines = [f"{word.replace(chr(92), chr(92) * 2)}\t{count}" for word, count in expected.items()]
    assert sorted(read_output(here / "out")) == sorted(lines)
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        "_MANIFEST.json",
        "_SUCCESS",
        *(f"part-r-{index:05}.txt" for index in range(3)),
    ]
    assert "complete in" in ran.stdout
    assert str(here / "out") in ran.stdout
    assert "map 8/8 tasks" in ran.stderr
    assert leftovers(here) == []


def test_a_copy_that_lacks_a_part_or_a_byte_does_not_verify(here: Path) -> None:
    ran = podreduce(here, "run", write_job(here, map={"shards": 3}))
    assert ran.returncode == 0, ran.stderr
    assert podreduce(here, "copy", "out/", "copied/").returncode == 0
    whole = podreduce(here, "verify", "copied/")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert f"file://{here}/copied/: whole: 3 parts, 100 records" in whole.stdout
    first, second, _ = sorted((here / "copied").glob("part-*"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1] + b" ")
    found = podreduce(here, "verify", "copied/")
    assert found.returncode == 1
    assert f"{first.name}: missing" in found.stdout
    assert f"{second.name}: other bytes" in found.stdout


@pytest.mark.parametrize("shards", [None, 2, 5])
def test_a_join_of_two_inputs_equals_duckdb(here: Path, shards: int | None) -> None:
    data = EXAMPLES / "join"
    places = [f'spec.inputs[{number}].uris=["{data / name}/"]' for number, name in enumerate(("customers", "orders"))]
    more = [] if shards is None else ["--set", f"spec.map.shards={shards}"]
    arguments = ("--set", places[0], "--set", places[1], *more, "--output", "out")
    ran = podreduce(here, "run", data / "job.yaml", *arguments)
    assert ran.returncode == 0, ran.stderr
    rows = [row.split(",") for row in read_output(here / "out") if not row.startswith("customer,")]
    query = f"""
        with orders as (select customer, count(*) as orders, sum(price::decimal(18, 2)) as total
                        from read_csv('{data}/orders/*.csv') group by customer)
        select coalesce(id, customer), coalesce(name, '?'), coalesce(country, '?'), coalesce(orders, 0), total
        from read_json('{data}/customers/*.jsonl') full join orders on id = customer
    """  # noqa: S608 - our own path
    expected = duckdb.sql(query).fetchall()
    assert sorted((int(row[0]), row[1], row[2], int(row[3]), Decimal(row[4])) for row in rows) == sorted(
        (*row[:4], row[4] or Decimal(0)) for row in expected
    )
    assert len(rows) == 121


@pytest.mark.parametrize("shards", [1, 3])
def test_inference_gives_what_the_model_gives_in_one_process(here: Path, shards: int) -> None:
    example = EXAMPLES / "inference"
    settings = (f'spec.sideInputs[0].uris=["{example}/model.onnx"]', f"spec.map.shards={shards}")
    arguments = [argument for setting in settings for argument in ("--set", setting)]
    ran = podreduce(here, "run", example / "job.yaml", "--input", example / "digits", *arguments, "--output", "out")
    assert ran.returncode == 0, ran.stderr
    assert f"counter inference/modelsLoaded: {shards}" in ran.stdout + ran.stderr
    images = pq.read_table(example / "digits")
    pixels = np.array(images["pixels"].to_pylist(), dtype=np.float32)
    _, chances = onnxruntime.InferenceSession(example / "model.onnx").run(None, {"X": pixels})
    found = pq.read_table(here / "out", columns=["image", "digit", "found", "certainty"])
    assert found["image"].to_pylist() == images["image"].to_pylist()
    assert found["found"].to_pylist() == chances.argmax(axis=1).tolist()
    assert found["certainty"].to_numpy().tobytes() == chances.max(axis=1).tobytes()
    assert sum(row["found"] == row["digit"] for row in found.to_pylist()) == 348


ASSIGN = """
import os
class Assign:
    def setup(self, context):
        self.context, self.rows = context, []
        self.centres = dict(context.side_input("centres"))
        assert context.side_table("centres").num_rows == len(self.centres)
        if {deletes} and os.path.exists("centres.jsonl"):
            os.remove("centres.jsonl")
    def map_func(self, key, value):
        name = min(self.centres, key=lambda name: abs(self.centres[name]["x"] - int(value)))
        yield self.centres[name]["id"], int(value)
    def reduce_func(self, key, values):
        found = list(values)
        self.rows.append(f"{{key}} {{len(found)}}\\n")
        yield key, sum(found)
    def teardown(self):
        if self.rows:
            self.context.output_file(f"counts/{{self.context.task}}.txt").write_text("".join(self.rows))
"""
CENTRES = '{"id": "low", "x": 20}\n{"id": "high", "x": 80}\n'


@pytest.mark.parametrize(("shards", "partitions"), [(1, 1), (8, 3)])
def test_a_side_input_is_fetched_once_for_a_run_and_files_are_published_with_it(
    here: Path, shards: int, partitions: int
) -> None:
    """A task deletes the object as soon as it has it: what the others read is what was fetched before."""
    (here / "centres.jsonl").write_text(CENTRES)
    side = [{"name": "centres", "uris": ["centres.jsonl"], "format": "JSONLines"}]
    program, width = source(ASSIGN.format(deletes=True)), {"shards": shards}
    job = write_job(here, program=program, sideInputs=side, map=width, reduce={"partitions": partitions})
    ran = podreduce(here, "run", job)
    assert ran.returncode == 0, ran.stderr
    assert not (here / "centres.jsonl").exists()
    assert sorted(read_output(here / "out")) == [f"high\t{sum(range(51, 100))}", f"low\t{sum(range(51))}"]
    files = sorted((here / "out" / "_files" / "counts").iterdir())
    assert sorted(line for path in files for line in path.read_text().splitlines()) == ["high 49", "low 51"]
    manifest = json.loads((here / "out" / "_MANIFEST.json").read_text())
    assert [each["name"] for each in manifest["files"]] == [f"_files/counts/{path.name}" for path in files]
    assert leftovers(here) == []
    copied = podreduce(here, "copy", "out/", "copy/")
    assert copied.returncode == 0, copied.stderr
    assert [path.read_text() for path in sorted((here / "copy" / "_files" / "counts").iterdir())] == [
        path.read_text() for path in files
    ]


def test_a_retried_attempt_leaves_only_the_files_of_the_one_that_counts(here: Path) -> None:
    text = """
import os, signal
class Job:
    def setup(self, context):
        is_first = not os.path.exists("second")
        open("second", "w").close()
        context.output_file("first.txt" if is_first else "second.txt").write_text("x")
        if is_first:
            os.kill(os.getpid(), signal.SIGKILL)
    def map_func(self, key, value):
        yield value, 1
"""
    job = write_job(here, program=source(text), map={"shards": 1}, reduce={"partitions": 0})
    ran = podreduce(here, "run", job, "--retries", "1", "--set", "spec.backoff.initialSeconds=0")
    assert ran.returncode == 0, ran.stderr
    assert [path.name for path in (here / "out" / "_files").iterdir()] == ["second.txt"]
    assert ": 1 file and 100 records, " in ran.stdout
    assert leftovers(here) == []


def test_two_tasks_that_write_one_file_fail_the_run_and_leave_nothing(here: Path) -> None:
    text = """
class Job:
    def setup(self, context):
        context.output_file("report.html").write_text(context.task)
    def map_func(self, key, value):
        yield value, 1
"""
    job = write_job(here, program=source(text), map={"shards": 2}, reduce={"partitions": 0})
    ran = podreduce(here, "run", job)
    assert ran.returncode == 1
    assert "OutputFileClash" in ran.stderr
    assert "m-0 wrote _files/report.html, and m-1 wrote _files/report.html" in ran.stderr
    assert not (here / "out").exists()


def test_the_input_of_the_command_line_is_no_named_one(here: Path) -> None:
    ran = podreduce(here, "run", EXAMPLES / "join" / "job.yaml", "--input", "in/", "--output", "out")
    assert ran.returncode == 2
    assert "the job has several inputs: set one with --set" in ran.stderr


def test_a_job_gets_the_pairs_of_another_with_their_types(here: Path) -> None:
    first = """
from datetime import date
from decimal import Decimal
class Totals:
    def map_func(self, key, value):
        shop, day, price = value.split(",")
        yield (shop, date.fromisoformat(day)), Decimal(price)
    def reduce_func(self, key, values):
        yield key, sum(values)
"""
    second = """
class Best:
    def map_func(self, key, total):
        shop, day = key
        yield shop, (total, day)
    def reduce_func(self, shop, totals):
        yield shop, repr(max(totals))
"""
    rows = [(f"shop {number % 3}", f"2024-02-{number % 7 + 1:02}", f"{number}.10") for number in range(100)]
    (here / "in.txt").write_text("".join(f"{','.join(row)}\n" for row in rows))
    output = {"uri": "pairs/", "format": "Pairs"}
    one = write_job(here, program=source(first), input={"uris": ["in.txt"]}, output=output, reduce={"partitions": 3})
    assert podreduce(here, "run", one).returncode == 0
    assert {path.suffix for path in (here / "pairs").glob("part-*")} == {".pairs"}
    manifests = []
    for shards in (1, 4):
        reading = {"uris": ["pairs/"], "format": "Pairs"}
        output = {"uri": f"best-{shards}/"}
        two = write_job(here, program=source(second), input=reading, output=output, map={"shards": shards})
        ran = podreduce(here, "run", two)
        assert ran.returncode == 0, ran.stderr
        assert sorted(read_output(here / f"best-{shards}")) == sorted(best_days(rows))
        manifests.append(json.loads((here / f"best-{shards}" / "_MANIFEST.json").read_text()))
    for name in ("inputDigest", "specDigest", "bytesIn"):
        assert manifests[0][name] == manifests[1][name] is not None
    counters = [manifest["counters"]["podreduce"] for manifest in manifests]
    assert [each["mapRecordsIn"] for each in counters] == [21, 21]
    assert [each["reduceRecordsOut"] for each in counters] == [3, 3]


def best_days(rows: list[tuple[str, str, str]]) -> list[str]:
    """The day of each shop that sold for most, as Python shows its total and date."""
    totals: dict[tuple[str, str], Decimal] = {}
    for shop, day, price in rows:
        totals[shop, day] = totals.get((shop, day), Decimal(0)) + Decimal(price)
    best = {shop: max((total, day) for (name, day), total in totals.items() if name == shop) for shop, _, _ in rows}
    return [f"{shop}\t{(total, date.fromisoformat(day))!r}" for shop, (total, day) in best.items()]


def test_log_analysis_equals_duckdb(here: Path) -> None:
    logs = EXAMPLES / "loganalysis" / "logs" / "*.csv"
    ran = podreduce(here, "run", EXAMPLES / "loganalysis" / "job.yaml", "--input", logs, "--output", "out")
    assert ran.returncode == 0, ran.stderr
    query = f"select column0, column1, count(*) from read_csv('{logs}', header=false, all_varchar=true) group by all"  # noqa: S608 - our own path
    expected = [f'{stamp}\t["{url}",{count}]' for stamp, url, count in duckdb.execute(query).fetchall()]
    assert sorted(read_output(here / "out")) == sorted(expected)


def test_a_night_of_the_schedule_equals_duckdb(here: Path) -> None:
    """The job of a night reads the logs of the day before, and has the schedule's own name for the night."""
    nightly = EXAMPLES / "nightly"
    places = ("--input", nightly / "logs" / "day=$(parameters.day)/", "--output", "visits/day=$(parameters.day)/")
    ran = podreduce(here, "run", nightly / "schedule.yaml", "--at", "2026-05-02T02:30", *places)
    assert ran.returncode == 0, ran.stderr
    query = f"""select column1, count(*), sum(column3::int)
        from read_csv('{nightly}/logs/day=2026-05-01/*.csv', header=false, all_varchar=true) group by all"""  # noqa: S608 - our own path
    expected = [
        f'{url}\t{{"day":"2026-05-01","visits":{visits},"milliseconds":{total}}}'
        for url, visits, total in duckdb.execute(query).fetchall()
    ]
    assert sorted(read_output(here / "visits" / "day=2026-05-01")) == sorted(expected)
    rendered = podreduce(here, "render", nightly / "schedule.yaml", "--at", "2026-05-02T02:30")
    (name,) = re.findall(r"nightly-\d+", ran.stdout)[:1]
    assert f"\n  name: {name}\n" in rendered.stdout
    assert "uris:\n    - s3://corpus/logs/day=2026-05-01/\n" in rendered.stdout


def test_the_readmes_job_runs_as_it_stands(here: Path) -> None:
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    (here / "job.yaml").write_text(readme.partition("```yaml\n")[2].partition("```")[0])
    books = EXAMPLES / "wordcount" / "books"
    ran = podreduce(here, "run", "job.yaml", "-i", books, "-o", "out")
    assert ran.returncode == 0, ran.stderr
    words = Counter(word for book in books.iterdir() for word in book.read_text(encoding="utf-8").split())
    long_words = {word: count for word, count in words.items() if len(word) >= 12}
    assert sorted(read_output(here / "out")) == sorted(f"{word}\t{count}" for word, count in long_words.items())
    assert f"counter words/tooShort: {words.total() - sum(long_words.values()):,}" in ran.stdout


def test_json_prints_the_status_and_nothing_else(here: Path) -> None:
    ran = podreduce(here, "run", write_job(here), "--json")
    status = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert (status["phase"], status["output"]["records"]) == ("Complete", 100)
    assert status["output"]["uri"] == f"file://{here}/out/"


def test_json_of_a_failed_job_has_its_failures(here: Path) -> None:
    job = write_job(here, program=source("class Bad:\n    def map_func(self, key, value):\n        1 / 0\n"))
    ran = podreduce(here, "run", job, "--json")
    status = json.loads(ran.stdout)
    assert (ran.returncode, status["phase"]) == (1, "Failed")
    assert status["failures"][0]["reason"] == "ProgramError"


def test_a_raising_program_ends_with_traceback_record_and_remedy(here: Path) -> None:
    program = "class Bad:\n    def map_func(self, key, value):\n        yield value, 10 // (50 - int(value))\n"
    ran = podreduce(here, "run", write_job(here, program=source(program), map={"shards": 1}))
    assert ran.returncode == 1
    assert ran.stdout == ""
    for words in ("ZeroDivisionError", "line 3, in map_func", "'50'", "in/numbers.txt at byte", "what to do:"):
        assert words in ran.stderr
    assert "podreduce/" not in ran.stderr.partition("Traceback")[2].partition("what to do")[0]
    assert not (here / "out").exists()
    (kept,) = (here / "tmp").iterdir()
    assert sorted(path.name for path in kept.iterdir()) == ["logs", "post-mortem", "run"]


@pytest.mark.parametrize(
    ("yielded", "remedy"),
    [
        ('"key", {1, 2}', "set cannot be a value: yield sorted(value)"),
        ('{"a"}, 1', "set cannot be a key: yield tuple(sorted(key))"),
        ('"k" * 5000, 1j', "complex cannot be a value: yield (value.real, value.imag)"),
    ],
)
def test_what_cannot_be_yielded_is_told_whole_with_the_record_in_a_pipe(here: Path, yielded: str, remedy: str) -> None:
    program = f"class Bad:\n    def map_func(self, key, value):\n        yield {yielded}\n"
    program += "    def reduce_func(self, key, values):\n        yield key, list(values)\n"
    ran = podreduce(here, "run", write_job(here, program=source(program), map={"shards": 1}))
    assert ran.returncode == 1
    lines = ran.stderr.splitlines()
    said = next(line for line in lines if line.startswith("failed: m-0"))
    report = "\n".join(lines[lines.index(said) + 1 :])
    for text in (said, report):
        assert remedy in text
        assert "(values are exactly " in text or "(keys are exactly " in text
        assert text.count("tuples of these)" if "keys are" in text else "list and dict)") == 1
    assert "at the record: file://" in report
    assert "in/numbers.txt at byte 0: " in report


def test_a_failed_run_leaves_its_post_mortem_where_it_says(here: Path) -> None:
    program = "class Bad:\n    def map_func(self, key, value):\n        yield value, 10 // (50 - int(value))\n"
    job = write_job(here, program=source(program), map={"shards": 2}, backoff={"initialSeconds": 0})
    ran = podreduce(here, "run", job, "--retries", "1", "--json")
    links = json.loads(ran.stdout)["postMortem"]
    assert f"post-mortem: {links['uri'].removeprefix('file://')}" in ran.stderr
    story = json.loads(Path(links["uri"].removeprefix("file://")).read_text())
    table = links["attemptsUri"].removeprefix("file://")
    found = duckdb.execute(f"select task, result from '{table}' order by all").fetchall()  # noqa: S608 - our own path
    told = sorted((attempt["task"], attempt["result"]) for attempt in story["timeline"])
    assert found == told
    assert story["totals"]["byResult"]["Failed"] == 2
    assert "ZeroDivisionError" in story["failures"][0]["traceback"][-1]


def test_what_a_run_needs_lies_below_its_work_directory_and_nowhere_else(here: Path) -> None:
    program = (
        "import os\nclass Job:\n    def map_func(self, key, value):\n        yield value, 10 // (50 - int(value))\n"
    )
    (here / "work").mkdir()
    ran = podreduce(here, "run", write_job(here, program=source(program)), "--work-dir", "work", "--json")
    assert ran.returncode == 1
    story = Path(json.loads(ran.stdout)["postMortem"]["uri"].removeprefix("file://"))
    assert story.is_relative_to(here / "work")
    assert story.exists()
    assert leftovers(here) == []


def test_with_json_as_its_log_format_every_line_is_one_json_object(here: Path) -> None:
    ran = podreduce(here, "run", write_job(here), "--log-format", "json")
    assert ran.returncode == 0
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert all("timestamp" in line for line in lines)
    progress = [line for line in lines if line["event"] == "progress"]
    assert progress[-1]["phase"] == "Complete"
    assert progress[-1]["map"]["records"] == 100


def test_a_run_that_fails_before_its_plan_leaves_no_post_mortem(here: Path) -> None:
    ran = podreduce(here, "run", write_job(here), "--input", "absent/", "--json")
    assert ran.returncode == 1
    assert "postMortem" not in json.loads(ran.stdout)
    assert leftovers(here) == []


@pytest.mark.parametrize(("retries", "attempts"), [((), 1), (("--retries", "2"), 3)], ids=["by-default", "asked-for"])
def test_failed_tasks_are_tried_again_only_when_asked_for(here: Path, retries: tuple[str, ...], attempts: int) -> None:
    job = write_job(
        here,
        program=source("class Bad:\n    def map_func(self, key, value):\n        1 / 0\n"),
        backoff={"initialSeconds": 0},
        map={"shards": 1},
    )
    ran = podreduce(here, "run", job, *retries)
    assert ran.returncode == 1
    assert ran.stderr.count("failed: m-0") == attempts


@pytest.mark.parametrize(
    ("spec", "arguments", "words"),
    [
        ({"map": {"shards": "many"}}, (), ["spec.map.shards", "an integer"]),
        ({"maps": {}}, (), ["spec.maps", "did you mean map?"]),
        ({}, ("--set", "spec.reduce.partitions=-1"), ["spec.reduce.partitions", "-1"]),
        ({}, ("--set", "spec.reduce"), ["--set spec.reduce", "expected"]),
        ({"suspend": True}, (), ["spec.suspend", "--set spec.suspend=false"]),
        ({}, ("--output", "in/out"), ["the output must not lie inside an input prefix"]),
        ({}, ("--parallelism", "0"), ["--parallelism"]),
    ],
    ids=["wrong-type", "unknown-field", "bad-override", "no-value", "suspended", "output-in-input", "usage"],
)
def test_an_invalid_job_is_told_by_field_and_never_runs(
    here: Path, spec: dict[str, Any], arguments: tuple[str, ...], words: list[str]
) -> None:
    ran = podreduce(here, "run", write_job(here, **spec), *arguments)
    assert ran.returncode == 2
    assert ran.stdout == ""
    for word in words:
        assert word in ran.stderr
    assert not (here / "out").exists()
    assert leftovers(here) == []


def test_a_file_that_is_not_there_is_invalid(here: Path) -> None:
    ran = podreduce(here, "run", "absent.yaml")
    assert ran.returncode == 2
    assert "absent.yaml" in ran.stderr


def test_an_existing_output_fails_with_the_remedy_which_helps(here: Path) -> None:
    job = write_job(here)
    assert podreduce(here, "run", job).returncode == 0
    again = podreduce(here, "run", job)
    assert again.returncode == 1
    assert "spec.output.ifExists=Replace" in again.stderr
    assert len(read_output(here / "out")) == 100
    replaced = podreduce(here, "run", job, "--set", "spec.output.ifExists=Replace")
    assert replaced.returncode == 0
    assert leftovers(here) == []


def test_a_missing_input_fails_by_name(here: Path) -> None:
    ran = podreduce(here, "run", write_job(here), "--input", "absent/")
    assert ran.returncode == 1
    assert "InputNotFound" in ran.stderr
    assert "absent/" in ran.stderr


def test_a_module_comes_from_the_current_directory(here: Path) -> None:
    (here / "myjob.py").write_text("class Lines:\n    def map_func(self, key, value):\n        yield 'n', int(value)\n")
    job = write_job(here, program={"module": "myjob"}, reduce={"partitions": 0})
    ran = podreduce(here, "run", job)
    assert ran.returncode == 0, ran.stderr
    assert len(read_output(here / "out")) == 100


def test_a_program_comes_from_a_config_map_in_the_same_file(here: Path) -> None:
    reference = {"sourceFrom": {"configMapKeyRef": {"name": "programs", "key": "job.py"}}}
    job = json.dumps({**JOB, "spec": {**JOB["spec"], "program": reference}})
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "programs"}}
    program = JOB["spec"]["program"]["source"]
    (here / "job.yaml").write_text(f"{job}\n---\n{json.dumps({**config_map, 'data': {'job.py': program}})}\n")
    ran = podreduce(here, "run", "job.yaml")
    assert ran.returncode == 0, ran.stderr
    assert len(read_output(here / "out")) == 100


def test_what_the_program_prints_is_seen(here: Path) -> None:
    program = "class Loud:\n    def map_func(self, key, value):\n        print('seen', value)\n        yield value, 1\n"
    ran = podreduce(here, "run", write_job(here, program=source(program), map={"shards": 1}))
    assert "m-0 | seen 7\n" in ran.stderr


PRINTING = """
class Printing:
    def setup(self, context):
        self.logger, self.task = context.logger, context.task
    def map_func(self, key, value):
        if value == "7":
            print("seven in", self.task)
        yield "sum", int(value)
    def reduce_func(self, key, values):
        self.logger.info("reducing", key=key)
        yield key, sum(values)
"""


def test_what_tasks_have_printed_is_found_after_the_run(here: Path) -> None:
    state = {"XDG_STATE_HOME": str(here / "state")}
    ran = podreduce(here, "run", write_job(here, program=source(PRINTING), map={"shards": 3}), **state)
    assert ran.returncode == 0, ran.stderr
    assert list((here / "tmp").glob("podreduce-run-*")) == []
    shown = podreduce(here, "logs", "local/job", **state).stdout.splitlines()
    assert shown[:2] == ["==> m-0: went well; these are the last lines that it printed <==", "seven in m-0"]
    assert shown[3] == "==> r-0: went well; these are the last lines that it printed <=="
    assert [line.split(maxsplit=1)[1] for line in shown[4:]] == ["info    reducing key=sum"]
    assert podreduce(here, "logs", "local/job", "m-0", **state).stdout == "seven in m-0\n"
    silent = podreduce(here, "logs", "local/job", "m-1", **state)
    assert (silent.returncode, silent.stdout) == (1, "")
    assert "no task has printed anything" in silent.stderr
    podreduce(here, "run", write_job(here, program=source("raise ValueError")), **state)
    assert len(list((here / "state" / "podreduce" / "logs").iterdir())) == 1, "a run that printed nothing has none"


def test_validate_says_what_is_wrong_and_what_only_runs_here(here: Path) -> None:
    good = podreduce(here, "validate", write_job(here))
    assert good.returncode == 0
    assert "valid MapReduceJob" in good.stdout
    assert "spec.output.uri" in good.stdout
    bad = podreduce(here, "validate", write_job(here, image=3))
    assert bad.returncode == 2
    assert "spec.image" in bad.stderr


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_version_is_told(here: Path, asked: str) -> None:
    told = podreduce(here, asked)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == f"podreduce {importlib.metadata.version('podreduce')}\n"


@contextlib.contextmanager
def running(here: Path, job: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start a run of a slow job in a process group of its own; yield it with the children that its tasks started."""
    command = [*COMMAND, "run", str(job)]
    with (here / "stderr").open("w") as stderr:
        engine = subprocess.Popen(command, cwd=here, env=environ(here), stderr=stderr, text=True, process_group=0)
    try:
        wait_for(lambda: (here / "stderr").read_text().count("| child") >= 2, "two tasks")
        lines = (here / "stderr").read_text().splitlines()
        yield engine, [int(line.split()[-1]) for line in lines if "| child" in line]
    finally:
        engine.kill()
        engine.wait()


def descendants_of(pid: int) -> list[int]:
    """The fork server, and what it forked."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(each for child in children for each in descendants_of(child))]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_run_leaves_no_process_and_no_half_output(here: Path, number: signal.Signals) -> None:
    job = write_job(here, program=source(SLOW), map={"shards": 2}, parallelism=2)
    with running(here, job) as (engine, grandchildren):
        tasks = descendants_of(engine.pid)
        assert len(tasks) >= 3
        assert all(map(is_alive, grandchildren))
        os.killpg(engine.pid, number)
        assert engine.wait(SECONDS) == 130
    assert [pid for pid in [*tasks, *grandchildren] if is_alive(pid)] == []
    assert not (here / "out").exists()
    assert leftovers(here) == []
    assert "interrupted" in (here / "stderr").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_run_leaves_no_process_and_the_next_one_succeeds(here: Path) -> None:
    job = write_job(here, program=source(SLOW), map={"shards": 2}, parallelism=2)
    with running(here, job) as (engine, grandchildren):
        tasks = descendants_of(engine.pid)
        engine.kill()
        engine.wait()
        wait_for(lambda: not any(map(is_alive, [*tasks, *grandchildren])), "the tasks' end")
    assert not (here / "out" / "_SUCCESS").exists()
    ran = podreduce(here, "run", write_job(here))
    assert ran.returncode == 0, ran.stderr
    assert len(read_output(here / "out")) == 100


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_runs_at_once_do_not_share_an_output(here: Path) -> None:
    job = write_job(here, program=source(SLOW), map={"shards": 2}, parallelism=2)
    with running(here, job):
        second = podreduce(here, "run", write_job(here, "second.json"))
    assert second.returncode == 1
    assert "is being written by process" in second.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_task_fails_as_killed_and_is_tried_again_when_asked_for(here: Path) -> None:
    program = (
        "import os, pathlib\nclass Dies:\n    def map_func(self, key, value):\n"
        "        mark = pathlib.Path('died')\n"
        "        if not mark.exists():\n            mark.touch(); os.kill(os.getpid(), 9)\n        yield value, 1\n"
    )
    job = write_job(here, program=source(program), map={"shards": 1}, backoff={"initialSeconds": 0})
    ran = podreduce(here, "run", job, "--retries", "1", "--json")
    status = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert [(failure["reason"], failure["exitCode"]) for failure in status["failures"]] == [("Killed", 137)]
    assert len(read_output(here / "out")) == 100
    assert leftovers(here) == []


def test_a_task_keeps_to_the_memory_of_the_command_line(here: Path) -> None:
    program = "import os\nclass Memory:\n    def map_func(self, key, value):\n"
    program += "        yield int(os.environ['PODREDUCE_MEMORY_BYTES']), 1\n"
    job = write_job(here, program={"source": program})
    assert podreduce(here, "run", job, "--memory", "300Mi").returncode == 0
    assert {line.split("\t")[0] for line in read_output(here / "out")} == {str(300 * 2**20)}


SUMS = """
class Sums:
    combiner = "sum"
    def map_func(self, key, value):
        yield value["shop"], value["price"]
"""
BATCH_SUMS = """
class Sums:
    combiner = "sum"
    def map_batch(self, batch):
        return batch.rename_columns(["key", "value"])
"""


@pytest.mark.parametrize("program", [SUMS, BATCH_SUMS], ids=["rows", "batches"])
def test_parquet_is_read_by_columns_and_filter(here: Path, program: str) -> None:
    sales = [(number % 3, number, f"2026-{1 + number // 9:02}-01") for number in range(100)]  # from January on
    duckdb.execute("create or replace table sales (shop int, price int, day date, note text)")
    duckdb.executemany("insert into sales values (?, ?, ?, 'long')", sales)
    duckdb.execute(f"copy sales to '{here / 'sales.parquet'}' (format parquet, row_group_size 2048)")
    job = write_job(
        here,
        program=source(program),
        input={
            "uris": ["sales.parquet"],
            "format": "Parquet",
            "columns": ["shop", "price"],
            "filter": [{"column": "day", "operator": "GreaterOrEqual", "value": "2026-05-01"}],
        },
    )
    ran = podreduce(here, "run", job, "--set", "spec.map.shards=3")
    assert ran.returncode == 0, ran.stderr
    query = "select shop, sum(price) from sales where day >= '2026-05-01' group by shop order by shop"
    assert read_output(here / "out") == [f"{shop}\t{total}" for shop, total in duckdb.execute(query).fetchall()]


COMBINED = """
import pyarrow as pa
class Sums:
    key_columns = ("shop", "day")
    def map_batch(self, batch):
        return batch
    def reduce_batch(self, batch):
        names = ["shop", "day", "price"]
        return pa.table(batch).group_by(names[:2]).aggregate([("price", "sum")]).rename_columns(names)
    combine_batch = reduce_batch
"""


def test_combined_batches_equal_duckdb(here: Path) -> None:
    sales = [(number % 3 or None, f"{number % 7}", number) for number in range(1000)]
    lines = [json.dumps({"shop": shop, "day": day, "price": price}) for shop, day, price in sales]
    (here / "sales.jsonl").write_text("\n".join(lines))
    job = write_job(
        here,
        program=source(COMBINED),
        input={"uris": ["sales.jsonl"], "format": "JSONLines"},
        output={"uri": "out/", "format": "CSV"},
    )
    ran = podreduce(here, "run", job, "--set", "spec.map.shards=3")
    assert ran.returncode == 0, ran.stderr
    duckdb.execute("create or replace table sales (shop int, day text, price int)")
    duckdb.executemany("insert into sales values (?, ?, ?)", sales)
    totals = duckdb.execute("select shop, day, sum(price) from sales group by all").fetchall()
    expected = [",".join("" if each is None else str(each) for each in row) for row in totals]
    assert sorted(line for line in read_output(here / "out") if "shop" not in line) == sorted(expected)
    counters = json.loads((here / "out" / "_MANIFEST.json").read_text())["counters"]["podreduce"]
    assert (counters["combineInput"], counters["reduceRecordsIn"]) == (1000, counters["combineOutput"])


PICKY = """
class Picky:
    combiner = "count"
    def map_func(self, key, value):
        yield value[-1], 1
        if value.endswith("7"):
            raise ValueError(f"{value} ends in a seven")
"""


def read_quarantine(uri: str) -> list[dict[str, Any]]:
    """The lines of a quarantine on this machine, in the order of the input."""
    paths = Path(uri.removeprefix("file://")).iterdir()
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return sorted(lines, key=lambda line: line["key"])


def test_bad_records_are_skipped_and_can_be_looked_at_after_the_run(here: Path) -> None:
    with (here / "in" / "numbers.txt").open("ab") as numbers:
        numbers.write(b"\xff1\n")
    job = write_job(here, program=source(PICKY), badRecords="Skip", map={"shards": 3}, ttlSecondsAfterFinished=0)
    ran = podreduce(here, "run", job)
    assert ran.returncode == 0, ran.stderr
    assert read_output(here / "out") == [f"{digit}\t10" for digit in range(10) if digit != 7]
    told, _, place = ran.stdout.splitlines()[2].partition(", see ")
    assert told == "11 bad records skipped"
    lines = read_quarantine(place)
    assert [line.get("text") for line in lines] == [*(f"{ten}7" for ten in ["", *range(1, 10)]), None]
    assert (lines[0]["uri"], lines[0]["unit"], lines[0]["key"]) == (f"file://{here}/in/numbers.txt", "byte", 14)
    assert (lines[0]["reason"], lines[0]["error"]) == ("ProgramError", "ValueError: 7 ends in a seven")
    assert "line 7, in map_func" in lines[0]["traceback"]
    assert (lines[-1]["reason"], lines[-1]["key"], lines[-1]["base64"]) == ("InputError", 290, "/zE=")
    (kept,) = (here / "tmp").iterdir()
    assert [path.name for path in kept.iterdir()] == ["quarantine"]


def test_the_status_of_a_run_that_skipped_records_says_where_they_are_now(here: Path) -> None:
    ran = podreduce(here, "run", write_job(here, program=source(PICKY), badRecords="Skip"), "--json")
    status = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert (status["badRecords"]["count"], status["counters"]["podreduce"]["mapBadRecords"]) == (10, 10)
    assert len(read_quarantine(status["badRecords"]["uri"])) == 10


@pytest.mark.parametrize(
    ("limit", "shards", "words"),
    [
        (3, 1, "this shard has more bad records (4) than spec.maxBadRecords (3)"),
        (9, 4, "more bad records (10) than spec.maxBadRecords (9)"),
    ],
    ids=["of-one-task", "of-all-tasks"],
)
def test_more_bad_records_than_allowed_fail_the_job_and_are_kept(
    here: Path, limit: int, shards: int, words: str
) -> None:
    job = write_job(here, program=source(PICKY), badRecords="Skip", maxBadRecords=limit, map={"shards": shards})
    ran = podreduce(here, "run", job)
    assert ran.returncode == 1
    assert "job: failed: TooManyBadRecords" in ran.stderr
    assert words in ran.stderr
    assert "--set spec.maxBadRecords=N" in ran.stderr
    assert not (here / "out").exists()
    place = next(line for line in ran.stderr.splitlines() if "quarantine" in line).rpartition(" ")[2]
    assert len(read_quarantine(place)) == limit + 1
    ran = podreduce(here, "run", job, "--set", "spec.maxBadRecords=10")
    assert ran.returncode == 0, ran.stderr


def test_copy_copies_directories_and_single_files(here: Path) -> None:
    (here / "in" / "deep").mkdir()
    (here / "in" / "deep" / "more.txt").write_text("more\n")
    assert podreduce(here, "copy", "in", "twin").stdout == "2 objects, 295 B copied to twin\n"
    assert (here / "twin" / "deep" / "more.txt").read_text() == "more\n"
    assert podreduce(here, "copy", "in/numbers.txt", "twin/deep/").returncode == 0
    assert (here / "twin" / "deep" / "numbers.txt").read_bytes() == (here / "in" / "numbers.txt").read_bytes()


def test_copying_what_is_not_there_fails_by_name(here: Path) -> None:
    ran = podreduce(here, "copy", "absent", "twin")
    assert ran.returncode == 1
    assert "absent: nothing found" in ran.stderr


def variables_of(minio: MinioServer) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": minio.endpoint,
        "AWS_REGION": minio.region,
        "AWS_ACCESS_KEY_ID": minio.access_key,
        "AWS_SECRET_ACCESS_KEY": minio.secret_key,
    }


@pytest.mark.integration
def test_input_output_and_intermediate_data_may_lie_in_s3(here: Path, minio: MinioServer) -> None:
    bucket = minio.make_bucket("local-run")
    variables = variables_of(minio)
    copied = podreduce(here, "copy", "in/", f"s3://{bucket}/in/", **variables)
    assert copied.returncode == 0, copied.stderr
    job = write_job(here, input={"uris": [f"s3://{bucket}/in/"]}, output={"uri": f"s3://{bucket}/out/"})
    refused = podreduce(here, "run", job, "--work-uri", "s3://absent-bucket/work/", **variables)
    assert refused.returncode == 1
    assert "absent-bucket" in refused.stderr
    ran = podreduce(here, "run", job, "--work-uri", f"s3://{bucket}/work/", **variables)
    assert ran.returncode == 0, ran.stderr
    assert list(minio.store(bucket).list("work/")) == []
    again = podreduce(here, "run", job, "--work-uri", f"s3://{bucket}/work/", **variables)
    assert again.returncode == 1
    assert list(minio.store(bucket).list("work/")) == []
    assert leftovers(here) == []
    fetched = podreduce(here, "copy", f"s3://{bucket}/out/", "fetched", **variables)
    assert fetched.returncode == 0, fetched.stderr
    assert len(read_output(here / "fetched")) == 100
    names = sorted(found["path"] for page in minio.store(bucket).list("out/") for found in page)
    assert names == ["out/_MANIFEST.json", "out/_SUCCESS", "out/part-m-00000.txt"]


@pytest.mark.integration
def test_side_inputs_and_files_may_lie_in_s3(here: Path, minio: MinioServer) -> None:
    bucket = minio.make_bucket("side-inputs")
    variables = variables_of(minio)
    minio.store(bucket).put("centres/a b#1.jsonl", CENTRES.encode())
    side = [{"name": "centres", "uris": [f"s3://{bucket}/centres/"], "format": "JSONLines"}]
    job = write_job(
        here, program=source(ASSIGN.format(deletes=False)), sideInputs=side, output={"uri": f"s3://{bucket}/out/"}
    )
    ran = podreduce(here, "run", job, **variables)
    assert ran.returncode == 0, ran.stderr
    names = sorted(found["path"] for page in minio.store(bucket).list("out/") for found in page)
    assert names == [
        f"out/{name}" for name in ("_MANIFEST.json", "_SUCCESS", "_files/counts/r-0.txt", "part-r-00000.txt")
    ]
    verified = podreduce(here, "verify", f"s3://{bucket}/out/", "-o", "json", **variables)
    assert (verified.returncode, json.loads(verified.stdout)["differences"]) == (0, []), verified.stderr
    minio.store(bucket).put("out/_files/more.txt", b"more")
    verified = podreduce(here, "verify", f"s3://{bucket}/out", "-o", "json", **variables)
    assert verified.returncode == 1
    surplus = {"name": "_files/more.txt", "problem": "surplus", "expected": "", "found": ""}
    assert json.loads(verified.stdout)["differences"] == [surplus]
    minio.store(bucket).delete("out/_files/more.txt")
    first = json.loads(bytes(minio.store(bucket).get("out/_MANIFEST.json").bytes()))
    minio.store(bucket).put("centres/a b#1.jsonl", CENTRES.replace("20", "21").encode())
    replaced = podreduce(here, "run", job, "--set", "spec.output.ifExists=Replace", **variables)
    assert replaced.returncode == 0, replaced.stderr
    second = json.loads(bytes(minio.store(bucket).get("out/_MANIFEST.json").bytes()))
    assert first["inputDigest"] != second["inputDigest"]
    assert first["specDigest"] == second["specDigest"]


def test_bad_records_of_a_run_in_s3_are_brought_here_before_its_data_goes(here: Path, minio: MinioServer) -> None:
    bucket = minio.make_bucket("bad-records")
    variables = variables_of(minio)
    assert podreduce(here, "copy", "in/", f"s3://{bucket}/in/", **variables).returncode == 0
    job = write_job(
        here,
        program=source(PICKY),
        badRecords="Skip",
        input={"uris": [f"s3://{bucket}/in/"]},
        output={"uri": f"s3://{bucket}/out/"},
        map={"shards": 3},
    )
    ran = podreduce(here, "run", job, "--work-uri", f"s3://{bucket}/work/", "--json", **variables)
    assert ran.returncode == 0, ran.stderr
    assert list(minio.store(bucket).list("work/")) == []
    status = json.loads(ran.stdout)
    lines = read_quarantine(status["badRecords"]["uri"])
    assert [line["text"] for line in lines] == [f"{ten}7" for ten in ["", *range(1, 10)]]
    assert {line["uri"] for line in lines} == {f"s3://{bucket}/in/numbers.txt"}
    assert podreduce(here, "copy", f"s3://{bucket}/out/", "fetched", **variables).returncode == 0
    assert read_output(here / "fetched") == [f"{digit}\t10" for digit in range(10) if digit != 7]


@pytest.mark.integration
def test_a_run_that_worked_in_s3_leaves_its_post_mortem_here(here: Path, minio: MinioServer) -> None:
    bucket, variables = minio.make_bucket("local-failure"), variables_of(minio)
    job = write_job(here, program=source("class Bad:\n    def map_func(self, key, value):\n        1 / 0\n"))
    ran = podreduce(here, "run", job, "--work-uri", f"s3://{bucket}/work/", "--json", **variables)
    assert ran.returncode == 1
    story = json.loads(Path(json.loads(ran.stdout)["postMortem"]["uri"].removeprefix("file://")).read_text())
    assert (story["verdict"], story["totals"]["byResult"]["Failed"]) == ("Failed", 1)
    assert list(minio.store(bucket).list("work/")) == []


EXITS = {
    "os._exit(0)": ("os._exit(0)", "exited with 0 before its task was committed"),
    "os._exit(1)": ("os._exit(1)", "exited with 1 before its task was committed"),
    "os._exit(3)": ("os._exit(3)", "exited with 3 before its task was committed"),
    "exit-in-c": ("ctypes.CDLL(None).exit(0)", "exited with 0 before its task was committed"),
    "abort": ("os.abort()", "ended by SIGABRT"),
    "crash": ("os.kill(os.getpid(), 11)", "ended by SIGSEGV"),
    "sys.exit": ("sys.exit(0)", "ProgramError: SystemExit: 0"),
    "exit-in-a-thread": (
        "t = threading.Thread(target=os._exit, args=(0,)); t.start(); t.join()",
        "exited with 0 before its task was committed",
    ),
}


@pytest.mark.parametrize(("statement", "said"), EXITS.values(), ids=EXITS)
def test_a_program_that_ends_its_process_is_said_to_have_and_nothing_is_committed(
    here: Path, statement: str, said: str
) -> None:
    program = f"""
import ctypes, os, sys, threading
class Exits:
    def map_func(self, key, value):
        {statement}
        yield key, 1
"""
    ran = podreduce(here, "run", write_job(here, program=source(program)))
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "report" not in ran.stderr.lower()
    assert read_output(here / "out") == []


def test_a_job_with_a_generated_name_runs_under_it(here: Path) -> None:
    path = write_job(here)
    path.write_text(json.dumps({**json.loads(path.read_text()), "metadata": {"generateName": "lines-"}}))
    checked = podreduce(here, "validate", path)
    assert (checked.returncode, checked.stdout.splitlines()[0]) == (0, f"{path}: lines-… is a valid MapReduceJob")
    ran = podreduce(here, "run", path)
    assert ran.returncode == 0, ran.stderr
    assert re.match(r"lines-[a-z0-9]{5}: complete in", ran.stdout)


def test_a_pipe_as_input_is_refused_and_a_file_behind_a_descriptor_is_read(here: Path) -> None:
    path = write_job(here, input={"uris": ["/dev/stdin"]})
    command = [*COMMAND, "run", str(path)]
    piped = subprocess.run(
        command, cwd=here, env=environ(here), input="a\n", capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert piped.returncode == 1
    assert "/dev/stdin: cannot be read: it is a pipe" in piped.stderr
    with (here / "in" / "numbers.txt").open() as file:
        ran = subprocess.run(
            command,
            cwd=here,
            env=environ(here),
            stdin=file,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert len(read_output(here / "out")) == 100


@pytest.mark.parametrize("seed", ["1", "2", "random"])
def test_partitions_by_hash_hold_each_key_once_whatever_seed_this_process_has(here: Path, seed: str) -> None:
    program = """
class ByHash:
    def map_func(self, key, value):
        yield f"{int(value) % 10}", 1
    def partition_func(self, key, partitions):
        return hash(key) % partitions
    def reduce_func(self, key, values):
        yield key, sum(1 for _ in values)
"""
    spec = {"program": source(program), "map": {"shards": 7}, "reduce": {"partitions": 3}}
    ran = podreduce(here, "run", write_job(here, **spec), PYTHONHASHSEED=seed)
    assert ran.returncode == 0, ran.stderr
    assert sorted(read_output(here / "out")) == [f"{digit}\t10" for digit in range(10)]
