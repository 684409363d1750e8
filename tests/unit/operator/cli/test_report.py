from pathlib import Path
from typing import Any

import pytest

from podreduce_operator.api.job_positions import TextBlock, find_block
from podreduce_operator.cli.program_source import ProgramSource
from podreduce_operator.cli.report import REMEDIES, STEP_REMEDIES, Kept, find_verdict, render_failed, render_success
from podreduce_operator.cli.wording import wrap


def make_status(kind: str, reason: str, message: str = "", **fields: Any) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True", "reason": reason, "message": message}], **fields}


FAILURE = {
    "task": "m-1",
    "attempt": "job-m-1-1",
    "reason": "ProgramError",
    "message": "ValueError: boom",
    "traceback": 'Traceback (most recent call last):\n  File "job.py", line 3, in map_func\nValueError: boom\n',
    "record": "file:///in.txt at byte 7: 'oops'",
}


@pytest.mark.parametrize("reason", STEP_REMEDIES)
def test_what_to_do_about_a_step_names_no_option_that_a_pipeline_refuses(reason: str) -> None:
    assert not any(option in STEP_REMEDIES[reason] for option in ("--input", "--output", "--set spec."))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ({}, ("", "", "")),
        (make_status("Failed", "OutputExists", "there"), ("Failed", "OutputExists", "there")),
        (make_status("Complete", "OutputCommitted"), ("Complete", "OutputCommitted", "")),
        (make_status("Ready", "OutputCommitted"), ("", "", "")),
    ],
    ids=["none", "failed", "complete", "neither"],
)
def test_the_verdict_is_that_of_the_conditions(status: dict[str, Any], verdict: tuple[str, str, str]) -> None:
    assert find_verdict(status) == verdict


def test_success_says_what_was_made_and_where() -> None:
    status = make_status(
        "Complete",
        "OutputCommitted",
        output={"uri": "file:///out/", "records": 29627, "bytes": 2048},
        counters={"podreduce": {"mapRecordsIn": 1}, "words": {"long": 1234}},
    )
    assert render_success("wordcount", status, 2.1).splitlines() == [
        "wordcount: complete in 2.1 s: 29,627 records, 2.0 KiB",
        "output: /out/",
        "counter words/long: 1,234",
    ]


@pytest.mark.parametrize(("size", "told"), [(0, ["warning: the input is empty"]), (1, [])])
def test_an_empty_input_is_told(size: int, told: list[str]) -> None:
    status = make_status("Complete", "OutputCommitted", output={"uri": "file:///out/"}, plan={"bytes": size})
    assert render_success("wordcount", status, 2.1).splitlines()[2:] == told


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.2, []), (0.414, ["skew: the key the has 41% of the shuffled data"])],
    ids=["a fifth", "more"],
)
def test_a_key_with_more_than_a_fifth_of_the_data_is_told(share: float, told: list[str]) -> None:
    skew = [{"key": "the", "share": share, "partition": 1}, {"key": "of", "share": 0.1, "partition": 0}]
    status = make_status("Complete", "OutputCommitted", output={"uri": "file:///out/"}, skew=skew)
    lines = render_success("wordcount", status, 2.1).splitlines()
    assert [line.partition(",")[0] for line in lines[2:]] == told


def test_a_failed_program_shows_traceback_record_remedy_and_what_is_kept() -> None:
    status = make_status("Failed", "BackoffLimitExceeded", "1 attempt failed", failures=[FAILURE])
    kept = Kept(logs=Path("/run/logs"), post_mortem=Path("/run/post-mortem"), records=Path("/run/run"))
    assert render_failed("job", status, kept).splitlines() == [
        "ValueError: boom",
        "at the record: file:///in.txt at byte 7: 'oops'",
        f"what to do: {REMEDIES['ProgramError']}",
        "job: failed: BackoffLimitExceeded: ProgramError in the task m-1",
        "Traceback (most recent call last):",
        '  File "job.py", line 3, in map_func',
        "ValueError: boom",
        "logs of the failed attempts: /run/logs",
        "post-mortem: /run/post-mortem/post-mortem.json, and all attempts beside it in attempts.parquet",
        "the same task again, in a debugger: podreduce replay /run/run m-1 --pdb",
    ]


def test_a_reduce_runs_again_over_its_maps_as_their_data_is_gone() -> None:
    status = make_status("Failed", "BackoffLimitExceeded", "1 attempt failed", failures=[{**FAILURE, "task": "r-2"}])
    *_, last = render_failed("job", status, Kept(records=Path("/run/run"))).splitlines()
    assert last == "the same task again, in a debugger: podreduce replay /run/run r-2 --maps --pdb"


@pytest.mark.parametrize(
    ("count", "line"),
    [(1, "1 bad record skipped, see /tmp/quarantine/"), (1200, "1,200 bad records skipped, see /tmp/quarantine/")],
)
def test_success_says_how_many_records_were_skipped_and_where_they_are(count: int, line: str) -> None:
    bad = {"count": count, "uri": "file:///tmp/quarantine/"}
    status = make_status("Complete", "OutputCommitted", output={"uri": "file:///out/"}, badRecords=bad)
    assert render_success("job", status, 2.1).splitlines()[2:] == [line]


def test_an_attempt_with_too_many_bad_records_shows_the_last_and_where_all_are() -> None:
    failure = {**FAILURE, "reason": "TooManyBadRecords", "message": "2 bad records in this shard"}
    bad = {"count": 0, "uri": "file:///tmp/quarantine/"}
    status = make_status(
        "Failed", "TooManyBadRecords", "2 bad records in m-1 alone", failures=[failure], badRecords=bad
    )
    lines = render_failed("job", status, Kept()).splitlines()
    assert lines[0] == "2 bad records in this shard"
    assert lines[2] == f"what to do: {REMEDIES['TooManyBadRecords']}"
    assert lines[3] == "job: failed: TooManyBadRecords in the task m-1"
    assert lines[-1] == "bad records: /tmp/quarantine/"


def test_the_first_line_is_the_users_error_at_its_place_in_their_file() -> None:
    text = "kind: MapReduceJob\nspec:\n  program:\n    source: |\n      class A:\n        def map_func(self): pass\n"
    program = "class A:\n  def map_func(self): pass\n"
    block = find_block(text, {"kind": "MapReduceJob"}, ["spec", "program", "source"], program)
    source = ProgramSource(text=program, file="jobs/job.yaml", within="spec.program.source", block=block)
    status = make_status("Failed", "BackoffLimitExceeded", "1 attempt failed", failures=[FAILURE])
    lines = render_failed("job", status, Kept(), source).splitlines()
    assert lines[0] == "jobs/job.yaml:7: ValueError: boom"
    assert '  File "jobs/job.yaml", line 7, in map_func' in lines


def test_a_frame_in_a_module_beside_the_program_is_the_users_too() -> None:
    source = ProgramSource(
        text="", file="jobs/job.py", within="", block=TextBlock(first_line=1), directory=Path("/home/me/jobs")
    )
    frames = ["job.py", "/home/me/jobs/helpers.py", "/usr/lib/python3/json/decoder.py"]
    trace = "\n".join(f'  File "{file}", line {line}, in f' for line, file in enumerate(frames, 1))
    assert source.find_place(source.translate(trace, "job")) == "/home/me/jobs/helpers.py:2"
    assert source.find_place("ValueError: boom") == ""


def test_only_lines_of_words_are_wrapped_and_nothing_is_lost() -> None:
    text = f'{"word " * 30}end\n  File "{"x" * 90}", line 3\nshort\n{"y" * 100}'
    wrapped = wrap(text, 40).split("\n")
    assert wrap(text, 40).split() == text.split()
    assert all(len(line) <= 40 for line in wrapped[:4])
    assert wrapped[1].startswith("  word")
    assert wrapped[-3:] == text.split("\n")[1:]


def test_tasks_with_too_many_bad_records_together_are_not_told_as_an_earlier_failure() -> None:
    bad = {"count": 12, "uri": "file:///tmp/quarantine/"}
    status = make_status("Failed", "TooManyBadRecords", "12 bad records", failures=[FAILURE], badRecords=bad)
    assert render_failed("job", status, Kept()).splitlines() == [
        "job: failed: TooManyBadRecords: 12 bad records",
        f"what to do: {REMEDIES['TooManyBadRecords']}",
        "12 bad records skipped, see /tmp/quarantine/",
    ]


def test_a_failure_before_any_attempt_shows_the_conditions_message() -> None:
    status = make_status("Failed", "OutputExists", "file:///out/ already holds part-r-00000.txt", failures=[])
    first, remedy = render_failed("job", status, Kept()).splitlines()
    assert first == "job: failed: OutputExists: file:///out/ already holds part-r-00000.txt"
    assert "--set spec.output.ifExists=Replace" in remedy
