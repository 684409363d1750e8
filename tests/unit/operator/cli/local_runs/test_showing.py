"""What the commands show of local runs: which run a name means, and what is said of each kind of end."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.commands import app
from podreduce_operator.cli.local_runs.history import History, LocalRun
from podreduce_operator.cli.local_runs.printed_logs import MOST_BYTES, find_printed, forget_others, keep_printed
from podreduce_operator.cli.local_runs.showing import find_run
from podreduce_operator.cli.workspace import open_workspace
from tests.support.job_manifests import complete_job, failed_job

NOW = time.time()


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return History(tmp_path / "state" / "podreduce")


def add(history: History, tmp_path: Path, mark: str, phase: str = "", **fields: Any) -> LocalRun:
    defaults: dict[str, Any] = {"name": "words", "started_at": NOW - 60, "ended_at": NOW - 50 if phase else None}
    workspace = tmp_path / f"podreduce-run-{mark}"
    run = LocalRun(
        id=f"words-{mark}",
        file="job.py",
        directory="/here",
        workspace=str(workspace),
        phase=phase,
        **(defaults | fields),
    )
    for name in run.kept:
        (workspace / name).mkdir(parents=True)
    history.add(run)
    return run


def invoke(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


def test_a_name_is_an_id_or_else_the_newest_run_of_a_job(history: History, tmp_path: Path) -> None:
    add(history, tmp_path, "a", "Complete", started_at=NOW - 300)
    newest = add(history, tmp_path, "b", "Failed")
    add(history, tmp_path, "c", "Complete", name="other", started_at=NOW - 10)
    assert find_run("local/words") == newest
    assert find_run("local/words-a").id == "words-a"
    with pytest.raises(CommandError, match=r"local/absent: no such run in .*podreduce list local"):
        find_run("local/absent")


def test_the_list_has_the_newest_run_first_and_where_each_stands(history: History, tmp_path: Path) -> None:
    complete, failed = complete_job()["status"], failed_job()["status"]
    add(history, tmp_path, "a", "Complete", status=complete, started_at=NOW - 300)
    add(history, tmp_path, "b", "Failed", status=failed, started_at=NOW - 200)
    add(history, tmp_path, "c", "Interrupted", started_at=NOW - 100)
    add(history, tmp_path, "d", started_at=NOW - 50)
    code, shown, _ = invoke("list", "local")
    assert code == 0
    assert [line.split()[:2] for line in shown.splitlines()] == [
        ["NAME", "PHASE"], ["words-d", "Lost"], ["words-c", "Interrupted"], ["words-b", "Failed"],
        ["words-a", "Complete"],
    ]  # fmt: skip
    assert invoke("list", "local", "-o", "name")[1].split() == [f"local/words-{each}" for each in "dcba"]
    listed = json.loads(invoke("list", "local", "-o", "json")[1])["items"]
    assert listed[2]["status"]["conditions"] == failed["conditions"]


def test_an_empty_history_says_how_it_is_filled(history: History) -> None:
    assert invoke("list", "local") == (0, "", f"no runs in {history.path}: podreduce run adds them\n")


def test_a_complete_run_shows_what_it_did_and_the_next_command(history: History, tmp_path: Path) -> None:
    add(history, tmp_path, "a", "Complete", status=complete_job()["status"])
    code, shown, _ = invoke("status", "local/words")
    assert code == 0
    first, *_, last = shown.splitlines()
    assert first == "local/words-a, of job.py in /here: Complete, took 10.0 s"
    assert any(line.lstrip("│├└─ ").startswith("map 16/16 (100%)") for line in shown.splitlines())
    assert last == "its records: podreduce output local/words-a --head 10"


def test_a_failed_run_shows_why_what_is_kept_and_how_its_task_runs_again(history: History, tmp_path: Path) -> None:
    run = add(history, tmp_path, "b", "Failed", status=failed_job()["status"], kept=("logs", "run"))
    _, shown, _ = invoke("status", "local/words-b")
    lines = shown.splitlines()
    assert any("failed: BackoffLimitExceeded" in line for line in lines)
    assert lines[-3:] == [
        f"kept: {run.workspace}/logs",
        f"kept: {run.workspace}/run",
        "the failed task again: podreduce replay local/words-b m-3 --pdb",
    ]


def test_a_killed_run_says_that_nobody_knows(history: History, tmp_path: Path) -> None:
    add(history, tmp_path, "d")
    lines = invoke("status", "local/words")[1].splitlines()
    assert lines[0].startswith("local/words-d, of job.py in /here: Lost, for ")
    assert lines[1].startswith("its process was killed")


def test_the_logs_of_failed_attempts_are_those_that_were_kept(history: History, tmp_path: Path) -> None:
    run = add(history, tmp_path, "b", "Failed", status=failed_job()["status"], kept=("logs",))
    logs = Path(run.workspace) / "logs"
    (logs / "words-50ee9031c4-m-3-1.log").write_text("one\ntwo\n")
    (logs / "words-50ee9031c4-r-0-1.log").write_text("three\n")
    (logs / "note.txt").write_text("not a log\n")
    code, shown, _ = invoke("logs", "local/words")
    assert code == 0
    assert shown.splitlines() == [
        "==> m-3, attempt words-50ee9031c4-m-3-1: failed <==", "one", "two",
        "", "==> r-0, attempt words-50ee9031c4-r-0-1: failed <==", "three",
    ]  # fmt: skip
    assert invoke("logs", "local/words", "m-3", "--tail", "1")[1] == "two\n"
    code, shown, why = invoke("logs", "local/words", "m-1")
    assert (code, shown) == (1, "")
    assert "that task has not failed" in why


def test_of_a_run_that_went_well_no_log_is_kept_and_that_is_said(history: History, tmp_path: Path) -> None:
    add(history, tmp_path, "a", "Complete", status=complete_job()["status"])
    code, _, why = invoke("logs", "local/words")
    assert code == 1
    assert "no task has printed anything" in why


def test_an_output_is_named_by_its_run(history: History, tmp_path: Path) -> None:
    output = tmp_path / "counts"
    output.mkdir()
    (output / "part-r-00000.txt").write_text("a\t1\n")
    (output / "_SUCCESS").touch()
    add(history, tmp_path, "a", "Complete", status={"output": {"uri": f"file://{output}/"}})
    assert invoke("output", "local/words")[1] == "a\t1\n"
    assert "_MANIFEST.json: missing" in invoke("verify", "local/words")[1]
    add(history, tmp_path, "b", "Failed")
    told = "local/words: failed, without an output; podreduce diagnose local/words-b says why\n"
    assert invoke("output", "local/words") == (1, "", told)


def test_only_a_failed_run_has_records_for_a_replay(history: History, tmp_path: Path) -> None:
    add(history, tmp_path, "a", "Complete")
    code, _, why = invoke("replay", "local/words", "m-0")
    assert code == 1
    assert "records are kept only of runs that failed" in why


def test_logs_are_kept_within_a_bound_and_as_long_as_their_run(history: History, tmp_path: Path) -> None:
    run = add(history, tmp_path, "a", "Complete")
    logs = Path(run.workspace) / "store" / "here" / "ns" / "words" / "uid-1" / "logs"
    logs.mkdir(parents=True)
    (logs.parent / "failures").mkdir()
    for index in range(200):
        (logs / f"m-{index}-uid{index}-0.log").write_text(f"{index}\n" + "x" * 9_999 + "\n")
    (logs / "m-3-failed-0.log").write_text("kept elsewhere\n")
    (logs.parent / "failures" / "m-3-failed-0.json").write_text("{}")
    (logs / "r-0-uid-0.log").write_text('{"event": "task committed", "level": "info"}\n')
    keep_printed(history, run.id, {"": Path(run.workspace)})
    kept = list(find_printed(history, run.id))
    assert [task for task, _, _ in kept] == [f"m-{index}" for index in range(len(kept))]
    assert MOST_BYTES - 20_000 < sum(path.stat().st_size for _, _, path in kept) <= MOST_BYTES
    forget_others(history, {run.id})
    assert list(find_printed(history, run.id)) == kept
    forget_others(history, {"another"})
    assert list(find_printed(history, run.id)) == []


@pytest.mark.parametrize(("phase", "code"), [("Complete", 0), ("Failed", 1), ("Interrupted", 1), ("", 1)])
def test_a_wait_tells_how_a_run_ended_and_one_that_was_killed_is_over(
    history: History, tmp_path: Path, phase: str, code: int
) -> None:
    add(history, tmp_path, "a", phase)
    assert invoke("wait", "local/words") == (code, f"local/words-a: {phase or 'Lost'}\n", "")


def test_a_wait_goes_on_while_the_run_does(history: History, tmp_path: Path) -> None:
    run = add(history, tmp_path, "a")
    with open_workspace("memory://x/", tmp_path) as workspace:
        working = msgspec.structs.replace(run, workspace=str(workspace.path))
        history.add(working)
        code, _, why = invoke("wait", "local/words", "--timeout", "1")
        assert (code, "still running" in why) == (4, True)
        later = threading.Timer(1.0, history.add, (msgspec.structs.replace(working, phase="Complete"),))
        later.start()
        assert invoke("wait", "local/words", "--timeout", "60")[0] == 0
        later.join()


@pytest.mark.parametrize(
    ("command", "word"), [("suspend", "suspended"), ("resume", "resumed"), ("cancel", "cancelled")]
)
def test_what_only_a_cluster_can_do_says_what_to_do_here(
    history: History, tmp_path: Path, command: str, word: str
) -> None:
    add(history, tmp_path, "a", "Complete")
    assert invoke(command, "local/words") == (
        2,
        "",
        (
            f"local/words-a: only what runs on a cluster can be {word}, and this run has ended: podreduce rerun "
            "local/words-a runs it again\n"
        ),
    )
    run = add(history, tmp_path, "b", started_at=NOW)
    with open_workspace("memory://x/", tmp_path) as workspace:
        history.add(msgspec.structs.replace(run, workspace=str(workspace.path)))
        code, _, why = invoke(command, "local/words")
    assert code == 2
    assert f"; Ctrl-C in its terminal, or kill -INT {os.getpid()}, ends it and undoes what it has begun" in why


def test_the_outputs_of_a_pipeline_are_listed_and_one_is_read_by_its_step(history: History, tmp_path: Path) -> None:
    steps = [{"name": name, "state": "Complete", "records": 2, "bytes": 8} for name in ("words", "counts", "top")]
    for name in ("counts", "top"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part-r-00000.txt").write_text(f"{name}\t1\nb\t2\n")
        (tmp_path / name / "_SUCCESS").touch()
    uris = {name: f"file://{tmp_path}/{name}/" for name in ("counts", "top")}
    add(history, tmp_path, "a", "Complete", kind="pipeline", status={"steps": steps}, outputs=uris)
    assert invoke("output", "local/words") == (
        0,
        (
            "STEP     STATE      RECORDS   SIZE   OUTPUT\n"
            f"counts   complete   2         8 B    {tmp_path}/counts/\n"
            f"top      complete   2         8 B    {tmp_path}/top/\n"
        ),
        "the records of one: podreduce output local/words-a --step top --head 10\n",
    )
    for words in (("local/words/top",), ("local/words", "--step", "top")):
        assert invoke("output", *words, "--head", "1") == (0, "top\t1\n", "")
    assert invoke("output", "local/words", "--count") == (
        2, "", "local/words: several steps have an output: name one with --step: counts, top\n"
    )  # fmt: skip
    code, _, why = invoke("output", str(tmp_path), "--step", "top")
    assert (code, why) == (2, f"{tmp_path}: --step: name a pipeline, mrp/NAME or local/NAME\n")
