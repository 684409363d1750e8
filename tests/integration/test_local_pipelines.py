"""`podreduce run` of a pipeline as a person starts it: the real command, real processes, directories for the data."""

import json
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from podreduce.storage import open_store
from podreduce_operator.runs.output_records import iter_records
from tests.support.pipeline_commands import EXAMPLES, SECONDS, environ, run
from tests.support.podreduce_command import COMMAND

LIMIT = 20_000
"""In millionths: the loop ends when all ranks together change less."""

STEPS = """\
class Seed:
    def map_func(self, key, line):
        yield line.split()[0], 1.0


class Spread:
    def setup(self, context):
        self.context = context

    def map_func(self, key, value):
        if self.context.input == "links":
            page, *links = value.split()
            yield page, tuple(links)
        else:
            yield key, value

    def reduce_func(self, page, values):
        links, rank = (), 0.0
        for value in values:
            if isinstance(value, tuple):
                links = value
            else:
                rank = value
        yield page, (0.0, rank)
        for link in links:
            yield link, (rank / len(links), None)


class Sum:
    def setup(self, context):
        self.context = context

    def map_func(self, page, value):
        yield page, value

    def reduce_func(self, page, values):
        new, old = 0.15, 0.0
        for share, was in values:
            new += 0.85 * share
            old = old if was is None else was
        self.context.count("rank", "micro", round(abs(new - old) * 1e6))
        yield page, new


class Top:
    def map_func(self, page, rank):
        yield page, f"{rank:.6f}"
"""
PAGES = {"a": ["b", "c"], "b": ["c"], "c": ["a"], "d": ["c"]}


LINKS = {"uris": ["links/"]}
PAGERANK_STEPS = [
    {"name": "seed", "className": "Seed", "inputs": [LINKS], "reduce": {"partitions": 0}},
    {
        "name": "spread",
        "className": "Spread",
        "inputs": [{"name": "links", **LINKS}, {"name": "ranks", "previous": "sum", "first": {"from": "seed"}}],
    },
    {
        "name": "sum",
        "className": "Sum",
        "inputs": [{"from": "spread"}],
        "output": {"uri": "ranks/", "format": "Pairs"},
    },
    {
        "name": "top",
        "className": "Top",
        "inputs": [{"from": "sum"}],
        "output": {"uri": "top/"},
        "reduce": {"partitions": 0},
    },
]


def pagerank(**spec: Any) -> dict[str, Any]:
    until = {"step": "sum", "counter": "rank/micro", "operator": "Less", "than": LIMIT}
    loop = {"name": "rank", "steps": ["spread", "sum"], "maxIterations": 12, "until": [until]}
    return {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReducePipeline",
        "metadata": {"name": "pagerank"},
        "spec": {"program": {"source": STEPS}, "steps": PAGERANK_STEPS, "loops": [loop], **spec},
    }


def expected_ranks() -> tuple[dict[str, float], int]:
    """The ranks by plain power iteration, and how many iterations they take."""
    ranks = dict.fromkeys(PAGES, 1.0)
    for number in range(1, 13):
        new = dict.fromkeys(PAGES, 0.15)
        for page, links in PAGES.items():
            for link in links:
                new[link] += 0.85 * ranks[page] / len(links)
        change = sum(round(abs(new[page] - ranks[page]) * 1e6) for page in PAGES)
        ranks = new
        if change < LIMIT:
            return ranks, number
    return ranks, 12


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with the links, and an empty one for temporary files."""
    (tmp_path / "links").mkdir()
    lines = (f"{page} {' '.join(links)}\n" for page, links in PAGES.items())
    (tmp_path / "links" / "links.txt").write_text("".join(lines))
    (tmp_path / "tmp").mkdir()
    return tmp_path


def states(status: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in status["steps"]}


def read_lines(directory: Path) -> dict[str, float]:
    lines = [line for part in sorted(directory.glob("part-*")) for line in part.read_text().splitlines()]
    return {page: float(rank) for page, rank in (line.split("\t") for line in lines)}


def test_pagerank_converges_to_the_ranks_of_a_power_iteration_and_only_what_changed_runs_again(here: Path) -> None:
    done, status = run(here, pagerank(), "--keep", "kept")
    assert done.returncode == 0, done.stderr
    ranks, iterations = expected_ranks()
    assert read_lines(here / "top") == pytest.approx(ranks, abs=1e-6)
    assert dict(iter_records(open_store(f"file://{here}/ranks/"))) == pytest.approx(ranks)
    (loop,) = status["loops"]
    assert (loop["iteration"], loop["state"]) == (iterations, "Converged")
    assert list((here / "tmp").iterdir()) == []

    done, status = run(here, pagerank(), "--keep", "kept")
    assert done.returncode == 0, done.stderr
    assert set(states(status).values()) == {"Reused"}

    edited = pagerank(program={"source": STEPS.replace(":.6f", ":.9f")})
    done, status = run(here, edited, "--keep", "kept")
    assert done.returncode == 0, done.stderr
    assert states(status) == {"seed": "Reused", "spread": "Reused", "sum": "Reused", "top": "Complete"}
    assert read_lines(here / "top") == pytest.approx(ranks, abs=1e-9)


CHAIN = """\
import time


class Parse:
    def map_func(self, key, line):
        yield line.split()[0], 1


class Check:
    def map_func(self, key, value):
        if key == "d":
            raise ValueError("no page d")
        yield key, value
"""


def chain(source: str = CHAIN, **step: Any) -> dict[str, Any]:
    manifest = pagerank(program={"source": source}, loops=[])
    manifest["metadata"]["name"] = "chain"
    manifest["spec"]["steps"] = [
        {"name": "parse", "className": "Parse", "inputs": [{"uris": ["$(parameters.place)"]}], **step},
        {"name": "check", "className": "Check", "inputs": [{"from": "parse"}], "output": {"uri": "checked/"}},
    ]
    manifest["spec"]["parameters"] = {"place": "nowhere/"}
    return manifest


def test_a_failed_step_is_told_with_its_own_error_and_a_mended_one_goes_on_from_there(here: Path) -> None:
    done, status = run(here, chain(), "-p", "place=links/")
    assert done.returncode == 1
    assert states(status) == {"parse": "Complete", "check": "Failed"}
    assert "ValueError: no page d" in done.stderr
    kept = re.search(r"run again with --keep (\S+)", done.stderr)
    assert kept is not None
    mended = chain(CHAIN.replace('key == "d"', "False"))
    done, status = run(here, mended, "-p", "place=links/", "--keep", kept[1])
    assert done.returncode == 0, done.stderr
    assert states(status) == {"parse": "Reused", "check": "Complete"}
    assert len(read_lines(here / "checked")) == 4


def test_a_counter_that_nobody_counts_fails_the_run_in_words_that_name_the_step(here: Path) -> None:
    """A typing error in a condition must not look like convergence."""
    manifest = pagerank()
    manifest["spec"]["loops"][0]["until"][0]["counter"] = "rank/mirco"
    done, _ = run(here, manifest)
    assert done.returncode == 1
    assert "ConvergenceValueMissing" in done.stderr
    assert "the step sum has not counted rank/mirco" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "chek"], "--to: there is no step 'chek'; the steps: parse, check"),
        (["-o", "out/"], "-o out/: expected STEP=URI"),
        (["--input", "links/"], "a pipeline's steps have inputs of their own"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_before_anything_runs(
    here: Path, options: list[str], message: str
) -> None:
    done, _ = run(here, chain(), *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_modules_beside_the_file_are_found_from_any_directory(here: Path) -> None:
    modules = here / "mine" / "words"
    modules.mkdir(parents=True)
    (modules / "__init__.py").write_text("MARK = '!'\n")
    (modules / "loud.py").write_text(
        "from words import MARK\n\n\nclass Loud:\n    def map_func(self, key, line):\n        yield line, MARK\n"
    )
    step = {"name": "loud", "program": {"module": "words.loud"}, "inputs": [{"uris": [f"{here}/links/"]}]}
    steps = [{**step, "reduce": {"partitions": 0}, "output": {"uri": f"{here}/loud/"}}]
    manifest = {**chain(), "spec": {"steps": steps}}
    (here / "mine" / "pipeline.json").write_text(json.dumps(manifest))
    command = [*COMMAND, "run", "mine/pipeline.json"]
    done = subprocess.run(
        command, cwd=here, env=environ(here), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = "".join(path.read_text() for path in sorted((here / "loud").glob("part-*"))).splitlines()
    assert len(lines) == len(PAGES)
    assert all(line.endswith("\t!") for line in lines)


def test_only_a_step_and_what_it_needs_run(here: Path) -> None:
    done, status = run(here, chain(), "-p", "place=links/", "--to", "parse", "-o", "parse=parsed/")
    assert done.returncode == 0, done.stderr
    assert states(status) == {"parse": "Complete"}
    assert len(read_lines(here / "parsed")) == 4


def test_a_missing_input_ends_the_run_before_a_step_starts(here: Path) -> None:
    done, status = run(here, chain())
    assert done.returncode == 1
    assert "InputNotFound" in done.stderr
    assert "nowhere/" in done.stderr
    assert set(states(status).values()) == {"Waiting"}


def test_the_output_of_somebody_else_is_not_replaced(here: Path) -> None:
    (here / "checked").mkdir()
    (here / "checked" / "notes.txt").write_text("mine")
    done, _ = run(here, chain(CHAIN.replace('key == "d"', "False")), "-p", "place=links/")
    assert done.returncode == 1
    assert "OutputExists" in done.stderr
    assert [path.name for path in (here / "checked").iterdir()] == ["notes.txt"]


SLOW = CHAIN.replace('        if key == "d":', '        time.sleep(60)\n        if key == "d":')


def test_an_interrupted_run_leaves_no_process_and_keeps_complete_steps(here: Path) -> None:
    (here / "pipeline.json").write_text(json.dumps(chain(SLOW)))
    command = [*COMMAND, "run", "pipeline.json", "-p", "place=links/", "--keep", "kept"]
    with subprocess.Popen(command, cwd=here, env=environ(here), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("check"):
                break
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait(60) == 130
    assert "interrupted" in told
    assert not (here / "checked").exists() or not any((here / "checked").iterdir())
    assert list((here / "tmp").iterdir()) == []
    done, status = run(here, chain(CHAIN.replace('key == "d"', "False")), "-p", "place=links/", "--keep", "kept")
    assert done.returncode == 0, done.stderr
    assert states(status) == {"parse": "Reused", "check": "Complete"}


def test_a_plan_says_what_would_run_and_why_and_changes_nothing(here: Path) -> None:
    good = CHAIN.replace('key == "d"', "False")
    done, _ = run(here, chain(good), "-p", "place=links/", "--keep", "kept", "--force", "parse")
    assert done.returncode == 0, done.stderr
    before = {path: path.stat().st_mtime_ns for path in (here / "kept").rglob("*")}
    (here / "pipeline.json").write_text(json.dumps(chain(good.replace("yield key, value", "yield key, -value"))))
    command = [*COMMAND, "plan", "pipeline.json", "-p", "place=links/"]
    told = subprocess.run(
        [*command, "--keep", "kept"], cwd=here, env=environ(here), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert re.fullmatch(r"parse +reuse +nothing that it depends on has changed", told[0])
    assert re.fullmatch(r"check +run +its program, parameters or options have changed", told[1])
    assert told[2].startswith("longest way: check, about")
    assert {path: path.stat().st_mtime_ns for path in (here / "kept").rglob("*")} == before
    told = subprocess.run(command, cwd=here, env=environ(here), capture_output=True, text=True, check=True).stdout
    assert re.search(r"parse +run +it has not run yet; reads 18 B of objects", told)
    assert re.search(r"check +run after parse +it has not run yet", told)
    assert not (here / "checked" / "_podreduce-claim").exists()


PRINTING = """\
class Read:
    def map_func(self, key, line):
        print("read", line)
        yield line.split()[0], 1


class Count:
    def map_func(self, key, value):
        yield key, value

    def reduce_func(self, key, values):
        print("counted", key)
        if key == "MISSING":
            raise ValueError("not this one")
        yield key, sum(values)
"""


def printing(fails_at: str = "none") -> dict[str, Any]:
    steps = [
        {"name": "read", "className": "Read", "inputs": [{"uris": ["links/"]}], "reduce": {"partitions": 0}},
        {
            "name": "count",
            "className": "Count",
            "inputs": [{"from": "read"}],
            "output": {"uri": "counts/", "ifExists": "Replace"},
        },
    ]
    source = PRINTING.replace("MISSING", fails_at)
    spec = {"program": {"source": source}, "steps": steps}
    return {**pagerank(), "metadata": {"name": "counting"}, "spec": spec}


def type_in(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run another command."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=here,
        env=environ(here),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_a_run_is_in_the_history_with_its_steps_what_they_printed_and_their_outputs(here: Path) -> None:
    ran = run(here, printing())[0]
    assert ran.returncode == 0, ran.stderr
    titles, (name, *cells) = (line.split() for line in type_in(here, "list", "local").stdout.splitlines())
    assert titles[:3] == ["NAME", "PHASE", "STEPS"]
    assert (name.partition("-")[0], cells[:2]) == ("counting", ["Complete", "2/2"])
    shown = type_in(here, "status", "local/counting").stdout.splitlines()
    assert shown[0].startswith(f"local/{name}, of ")
    assert [line.lstrip("├└─ ").split()[0].rstrip(":") for line in shown[1:3]] == ["read", "count"]
    assert shown[-1] == f"output of count: {here}/counts/; podreduce output local/{name}/count --head 10"
    assert type_in(here, "output", "local/counting", "--count").stdout.split()[0] == "4"
    assert type_in(here, "output", "local/counting/count", "--head", "1").stdout == "a\t1\n"
    assert "counted a" in type_in(here, "logs", "local/counting/count").stdout
    assert "read a b c" in type_in(here, "logs", "local/counting/read", "m-0").stdout
    whole = type_in(here, "logs", "local/counting").stdout
    assert whole.index("==> read, m-0: went well") < whole.index("==> count, r-0: went well")
    none = type_in(here, "logs", "local/counting/other")
    assert (none.returncode, none.stderr.strip()) == (
        2,
        "local/counting/other: there is no such step: its steps are read, count",
    )


def test_a_failed_run_is_in_the_history_with_its_failed_step_and_what_that_printed(here: Path) -> None:
    assert run(here, printing("c"))[0].returncode == 1
    shown = type_in(here, "status", "local/counting").stdout
    assert ": Failed, took" in shown.splitlines()[0]
    assert "count: failed, BackoffLimitExceeded" in shown
    assert type_in(here, "wait", "local/counting").returncode == 1
    failed = type_in(here, "logs", "local/counting/count", "--failed").stdout
    assert failed.splitlines()[0].endswith(": failed <==")
    assert "counted c" in failed
    assert "read a b c" in type_in(here, "logs", "local/counting/read").stdout
    assert json.loads(type_in(here, "list", "local", "-o", "json").stdout)["items"][0]["kind"] == "MapReducePipeline"


def test_the_second_night_of_a_schedule_runs_only_what_has_changed(tmp_path: Path) -> None:
    """The example `nightly/sections.yaml`: three nights, before the last of which the table of pages changes."""
    shutil.copytree(EXAMPLES / "nightly", tmp_path / "nightly")
    states = [run_night(tmp_path, f"2026-05-0{day}T02:30") for day in (2, 3)]
    pages = tmp_path / "nightly" / "pages" / "pages.csv"
    pages.write_text(pages.read_text().replace("/basket,shop", "/basket,basket"))
    states += [run_night(tmp_path, "2026-05-04T02:30"), run_night(tmp_path, "2026-05-04T02:30")]
    names = ("pages", "visits", "join", "report")
    assert states == [
        dict.fromkeys(names, "Complete"),
        {**dict.fromkeys(names, "Complete"), "pages": "Reused"},
        dict.fromkeys(names, "Complete"),
        dict.fromkeys(names, "Reused"),
    ]
    for day in ("2026-05-01", "2026-05-02", "2026-05-03"):
        sections = {"/": "home", "/search": "finding", "/basket": "basket" if day == "2026-05-03" else "shop"}
        logs = (tmp_path / "nightly" / "logs" / f"day={day}" / "web.csv").read_text().splitlines()
        visited = [line.split(",")[1].split("?")[0] for line in logs]
        expected = Counter(sections.get(page, "shop") for page in visited)
        (part,) = (tmp_path / "sections" / f"day={day}").glob("part-*")
        assert part.read_text() == "".join(f"{name}\t{expected[name]}\n" for name in sorted(expected))


def run_night(place: Path, at: str) -> dict[str, str]:
    """Run the pipeline of a night, with the records of those before. Return the states of its steps."""
    parameters = ("logs=nightly/logs", "pages=nightly/pages", "sections=sections")
    options = [option for each in parameters for option in ("-p", each)]
    command = [*COMMAND, "run", "nightly/sections.yaml", "--at", at, "--keep", "kept", "--json", *options]
    command += ["--graph", "graph.svg"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=SECONDS, check=True)
    states = {step["name"]: step["state"] for step in json.loads(done.stdout)["steps"]}
    drawn = Counter(re.findall(">(complete|reused)<", (place / "graph.svg").read_text()))
    assert drawn == Counter(map(str.lower, states.values())), "the picture has the state of each step"
    return states
