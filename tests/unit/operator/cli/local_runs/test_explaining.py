"""`diagnose`, `events` and `rerun` of runs of this machine: what each says of a run in each state."""

import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from podreduce_operator.api.job_positions import TextBlock
from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.commands import app
from podreduce_operator.cli.local_runs.diagnosing import LOCAL_REMEDIES, LOCAL_STEP_REMEDIES
from podreduce_operator.cli.local_runs.history import History, LocalRun
from podreduce_operator.cli.local_runs.remembering import as_written
from podreduce_operator.cli.local_runs.running_again import find_command
from podreduce_operator.cli.program_source import ProgramSource
from podreduce_operator.cli.workspace import open_workspace
from tests.support.job_manifests import FAILURE, complete_job, condition, failed_job

NOW = time.time()


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return History(tmp_path / "state" / "podreduce")


def add(history: History, tmp_path: Path, phase: str = "", **fields: Any) -> LocalRun:
    (tmp_path / "job.py").touch()
    known: dict[str, Any] = {"name": "words", "started_at": NOW - 60, "ended_at": NOW - 50 if phase else None}
    command = ("run", "job.py", "in.txt", "-o", "out")
    known |= {"file": "job.py", "directory": str(tmp_path), "workspace": str(tmp_path / "work"), "command": command}
    run = LocalRun(id="words-a", phase=phase, **(known | fields))
    history.add(run)
    return run


def invoke(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


WHOLE = f"""\
wordcount.py:4: ValueError: invalid literal for int() with base 10: 'x'
at the record: s3://corpus/books/a.txt at byte 7: 'oops'
what to do: {LOCAL_REMEDIES["ProgramError"]}; then podreduce rerun local/words-a
next: podreduce logs local/words-a m-3
  in the task m-3 (wordcount-1f0c9a2b3d-m-3-1, exit code 64): ProgramError
  Traceback (most recent call last):
    File "wordcount.py", line 4, in map_func
  ValueError: x
  the run ended with BackoffLimitExceeded: m-3 failed 5 times
  the same task again, here, in a debugger: podreduce replay local/words-a m-3 --pdb
"""


def test_a_failed_run_is_explained_as_a_job_on_a_cluster_would_be(history: History, tmp_path: Path) -> None:
    add(history, tmp_path, "Failed", status=failed_job()["status"])
    assert invoke("diagnose", "local/words") == (0, WHOLE, "")
    shown = json.loads(invoke("diagnose", "local/words", "-o", "json")[1])
    assert (shown["run"], shown["findings"][0]["text"]) == ("words-a", WHOLE.splitlines()[0])


def test_a_post_mortem_that_was_removed_is_not_known(history: History, tmp_path: Path) -> None:
    add(history, tmp_path, "Failed", status=failed_job()["status"], kept=("post-mortem",))
    told = f"\nnot known: the post-mortem: {tmp_path}/work/post-mortem has been removed\n"
    assert invoke("diagnose", "local/words") == (0, WHOLE + told, "")


@pytest.mark.parametrize(
    ("phase", "lines"),
    [
        (
            "Complete",
            [
                "it is complete, in 1 min 30 s: 29,627 records in s3://corpus/counts/",
                "next: podreduce output local/words-a --head 10",
            ],
        ),
        (
            "Interrupted",
            [
                "it was interrupted after 10.0 s: what it had begun was undone",
                "next: podreduce rerun local/words-a",
            ],
        ),
        (
            "",
            [
                "its process was killed, or the machine went down: nothing says how far it came",
                "what to do: run it again; what it left is removed then",
                "next: podreduce rerun local/words-a",
            ],
        ),
    ],
    ids=["complete", "interrupted", "killed"],
)
def test_a_run_that_did_not_fail_says_how_it_stands(
    history: History, tmp_path: Path, phase: str, *, lines: list[str]
) -> None:
    add(history, tmp_path, phase, status=complete_job()["status"] if phase == "Complete" else {})
    assert invoke("diagnose", "local/words") == (0, "\n".join([*lines, ""]), "")


def test_a_run_that_goes_on_says_so_and_is_not_run_again(history: History, tmp_path: Path) -> None:
    run = add(history, tmp_path)
    with open_workspace("memory://x/", tmp_path) as workspace:
        working = msgspec.structs.replace(run, workspace=str(workspace.path))
        history.add(working)
        first, following = invoke("diagnose", "local/words")[1].splitlines()
        assert re.match(r"nothing is wrong: it has run for \d+ min \d+ s, and its terminal shows", first)
        assert following == "next: podreduce wait local/words-a"
        with pytest.raises(CommandError, match="it goes on: podreduce wait local/words-a waits for its end"):
            find_command(working, replace_output=False)


def make_pipeline(history: History, tmp_path: Path, **fields: Any) -> LocalRun:
    steps = [
        {"name": "words", "state": "Complete", "job": "j1"},
        {"name": "sums", "state": "Failed", "job": "j2", "message": "BackoffLimitExceeded: m-3 failed 5 times"},
        {"name": "last", "state": "NotReached"},
    ]
    told = condition("Failed", "StepFailed", "the step sums failed: BackoffLimitExceeded: m-3 failed 5 times")
    return add(
        history,
        tmp_path,
        "Failed",
        kind="pipeline",
        status={"runId": "1", "phase": "Failed", "steps": steps, "conditions": [told]},
        **fields,
    )


def test_of_a_pipeline_the_step_that_failed_is_explained(history: History, tmp_path: Path) -> None:
    make_pipeline(history, tmp_path, failed_status=failed_job()["status"])
    of_step = WHOLE.replace(LOCAL_REMEDIES["ProgramError"], LOCAL_STEP_REMEDIES["ProgramError"])
    of_step = of_step.replace("logs local/words-a", "logs local/words-a/sums")
    of_step = "the step sums: " + of_step.replace("replay local/words-a", "replay local/words-a/sums")
    assert invoke("diagnose", "local/words") == (0, f"{of_step}\nnot reached: 1 step: last\n", "")
    assert invoke("diagnose", "local/words", "--step", "sums") == (0, of_step, "")
    assert invoke("diagnose", "local/words/words")[1] == "nothing is wrong with the step words: it is complete\n"
    assert invoke("diagnose", "local/words/x")[2].startswith(
        "local/words/x: there is no such step: its steps are words"
    )


def test_of_a_pipeline_of_an_earlier_release_the_line_about_the_step_is_told(history: History, tmp_path: Path) -> None:
    make_pipeline(history, tmp_path)
    assert "BackoffLimitExceeded: m-3 failed 5 times" in invoke("diagnose", "local/words")[1].splitlines()[0]


def test_only_the_step_that_failed_runs_again_task_by_task(history: History, tmp_path: Path) -> None:
    make_pipeline(history, tmp_path, failed_task="sums/m-3")
    told = "local/words/last: records are kept only of the step that failed: sums\n"
    assert invoke("replay", "local/words", "--step", "last") == (1, "", told)


def test_events_are_those_of_the_history_the_status_and_its_failed_attempts(history: History, tmp_path: Path) -> None:
    failed = failed_job()["status"] | {"failures": [FAILURE]}
    add(history, tmp_path, "Failed", status=failed)
    code, shown, note = invoke("events", "local/words")
    assert code == 0
    assert [line.split()[1:4] for line in shown.splitlines()] == [
        ["SEEN", "TYPE", "REASON"],
        ["Normal", "Started", "local/words-a"],
        ["Warning", "Failed", "local/words-a"],
        ["Warning", "Failed", "m-3"],
    ]
    assert f"podreduce run job.py in.txt -o out in {tmp_path}" in shown
    assert "ProgramError: ValueError: invalid literal for int() with base 10: 'x'" in shown
    assert note.startswith("local/words-a: of a run of this machine only its beginning")
    items = json.loads(invoke("events", "local/words", "-o", "json")[1])["items"]
    assert [item["about"] for item in items] == ["local/words-a", "local/words-a", "m-3"]


@pytest.mark.parametrize(("phase", "reason"), [("Interrupted", "Interrupted"), ("Complete", "Complete")])
def test_each_end_is_an_event_once(history: History, tmp_path: Path, phase: str, reason: str) -> None:
    add(history, tmp_path, phase, status=complete_job()["status"] if phase == "Complete" else {})
    reasons = [line.split()[2] for line in invoke("events", "local/words")[1].splitlines()[1:]]
    assert reasons == ["Started", reason]


def test_a_run_is_run_again_by_the_words_of_its_command(history: History, tmp_path: Path) -> None:
    run = add(history, tmp_path, "Failed")
    assert find_command(run, replace_output=False) == ["run", "job.py", "in.txt", "-o", "out"]
    assert find_command(run, replace_output=True)[5:] == ["--set", "spec.output.ifExists=Replace"]


@pytest.mark.parametrize(
    ("fields", "options", "code", "words"),
    [
        ({"command": ()}, (), 1, "a program or an older release started it, and not podreduce run: start job.py again"),
        ({"file": "standard input"}, (), 1, "its file was standard input, which is not kept"),
        ({"file": "gone.py"}, (), 1, "gone.py in {here} is not there any more"),
        ({"directory": "/gone"}, (), 1, "job.py in /gone is not there any more"),
        ({"kind": "pipeline"}, ("--replace",), 2, "--replace is for jobs: a step's output.ifExists says it"),
        ({}, ("--run-id", "2"), 2, "--run-id: each run of this machine has an id of its own"),
    ],
    ids=["not-by-a-command", "standard-input", "no-file", "no-directory", "a-pipeline", "a-run-id"],
)
def test_what_cannot_be_run_again_says_why(
    history: History, tmp_path: Path, fields: dict[str, Any], options: tuple[str, ...], *, code: int, words: str
) -> None:
    add(history, tmp_path, "Complete", **fields)
    found, shown, why = invoke("rerun", "local/words", *options)
    assert (found, shown) == (code, "")
    assert words.format(here=tmp_path) in why


def test_who_asks_a_cluster_about_a_local_run_is_told_its_name(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(history, tmp_path, "Failed")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    absent = (
        f"no credentials for the API server: {tmp_path}/nowhere is not there; set KUBECONFIG, or run in a pod with a "
    )
    offer = "a run of this machine has that name: say local/words to ask about it\n"
    for words in (("diagnose", "words"), ("logs", "mrp/words"), ("wait", "words")):
        assert invoke(*words) == (5, "", f"{absent}service account\n{offer}")
    assert invoke("diagnose", "other") == (5, "", f"{absent}service account\n")
    listed = "podreduce list local lists the runs of this machine, which need no cluster\n"
    assert invoke("list") == (5, "", f"{absent}service account\n{listed}")


def test_who_forgets_the_slash_of_an_output_is_told_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "top").mkdir()
    for command in ("output", "verify"):
        code, shown, why = invoke(command, "top")
        assert (code, shown) == (5, "")
        assert why.endswith("a directory here has that name: say top/ to ask about an output in it\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list", "locl"), r"locl: no such kind; known are .*; did you mean local\?"),
        (("status", "mrx/words"), r"mrx: no such kind; known are .*; did you mean mr[jps]\?"),
        (("wait", "mrx/words"), "mrx: no such kind"),
    ],
)
def test_words_that_mean_nothing_are_refused_before_a_cluster_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    code, shown, why = invoke(*words)
    assert (code, shown) == (2, "")
    assert re.match(told, why)


def test_tracebacks_are_kept_with_the_file_and_lines_of_their_author() -> None:
    block = TextBlock(first_line=11, indent=6)
    source = ProgramSource(text="", file="job.yaml", within="spec.program.source", block=block)
    status = as_written({"failures": [FAILURE, {"task": "m-1"}], "phase": "Failed"}, "wordcount", source)
    assert 'File "job.yaml", line 14, in map_func' in status["failures"][0]["traceback"]
    assert status["failures"][1] == {"task": "m-1"}
    assert as_written({"phase": "Complete"}, "wordcount", source) == {"phase": "Complete"}
