import io
import json
from dataclasses import replace
from typing import Any

import pytest

from podreduce.contract.task import TaskRef, TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.cli.progress import RunProgress, TaskLine, parse_line
from podreduce_operator.cli.views import BarsView, JsonView, LinesView
from podreduce_operator.cli.watcher import MAX_WORDS_LINES, Watcher
from podreduce_operator.cli.wording import render_bytes, render_seconds, render_tasks
from podreduce_operator.cluster.local.notices import EventRecorded, LineWritten, PodEnded, PodStarted, StatusWritten
from podreduce_operator.model.pods import PodPhase, PodView


def make_attempt(task: str = "m-0", uid: str = "u1", exit_code: int | None = None) -> PodView:
    return PodView(
        name=f"job-{task}-1",
        uid=uid,
        run_hash="0123456789",
        task=TaskRef.parse(task),
        ordinal=1,
        generation=0,
        phase=PodPhase.RUNNING if exit_code is None else PodPhase.SUCCEEDED if exit_code == 0 else PodPhase.FAILED,
        created_at=100.0,
        exit_code=exit_code,
    )


def counts(records: int, read_bytes: int, task: str = "m-0", uid: str = "u1") -> LineWritten:
    line = json.dumps({"event": "progress", "attempt": f"{uid}-0", "records": records, "bytes": read_bytes})
    return LineWritten(task=TaskRef.parse(task), attempt_id=f"{uid}-0", line=line)


def ended(task: str, uid: str, exit_code: int) -> PodEnded:
    return PodEnded(pod=make_attempt(task, uid, exit_code), killed=False, log="")


STATUS: dict[str, Any] = {
    "phase": "Mapping",
    "plan": {"objects": 2, "bytes": 4096, "shards": 3},
    "map": {"total": 3, "succeeded": 0},
}


def fold(*notices: Any) -> RunProgress:
    progress = RunProgress()
    for notice in notices:
        progress.take(notice)
    return progress


def test_nothing_is_known_before_the_plan() -> None:
    shown = fold().show(TaskType.MAP, 0.0)
    assert (shown.total, shown.done, shown.active, shown.total_bytes) == (None, 0, 0, None)


def test_running_attempts_add_up() -> None:
    progress = fold(
        StatusWritten(status=STATUS),
        PodStarted(pod=make_attempt("m-0", "u1")),
        PodStarted(pod=make_attempt("m-1", "u2")),
        counts(10, 100, "m-0", "u1"),
        counts(20, 200, "m-0", "u1"),
        counts(5, 50, "m-1", "u2"),
    )
    shown = progress.show(TaskType.MAP, 0.0)
    assert (shown.total, shown.active, shown.records, shown.bytes, shown.total_bytes) == (3, 2, 25, 250, 4096)


def test_a_committed_attempt_stays_counted_and_a_failed_one_does_not() -> None:
    progress = fold(
        PodStarted(pod=make_attempt("m-0", "u1")),
        PodStarted(pod=make_attempt("m-1", "u2")),
        counts(20, 200, "m-0", "u1"),
        counts(5, 50, "m-1", "u2"),
        ended("m-0", "u1", 0),
        ended("m-1", "u2", 64),
    )
    shown = progress.show(TaskType.MAP, 0.0)
    assert (shown.done, shown.active, shown.records, shown.bytes) == (1, 0, 20, 200)


def several(exit_code: int | None = None) -> PodView:
    tasks = tuple(map(TaskRef.parse, ("m-0", "m-1", "m-2")))
    return replace(make_attempt("m-0", "u1", exit_code), tasks=tasks)


def turn(number: int, records: int) -> LineWritten:
    line = counts(records, records * 10, uid="u1").line.replace("u1-0", f"u1-{number}")
    return LineWritten(task=TaskRef.parse(f"m-{number}"), attempt_id=f"u1-{number}", line=line)


def test_the_tasks_of_a_pod_are_done_one_after_another() -> None:
    notices: list[Any] = [PodStarted(pod=several()), turn(0, 5), turn(1, 2)]
    shown = fold(*notices).show(TaskType.MAP, 0.0)
    assert (shown.done, shown.active, shown.records) == (1, 1, 7)
    shown = fold(*notices, PodEnded(pod=several(64), killed=False, log="")).show(TaskType.MAP, 0.0)
    assert (shown.done, shown.active, shown.records) == (1, 0, 5)
    shown = fold(*notices, turn(2, 3), PodEnded(pod=several(0), killed=False, log="")).show(TaskType.MAP, 0.0)
    assert (shown.done, shown.active, shown.records) == (3, 0, 10)


def test_maps_and_reduces_are_told_apart() -> None:
    progress = fold(PodStarted(pod=make_attempt("r-0", "u1")), counts(7, 70, "r-0", "u1"))
    assert progress.show(TaskType.MAP, 0.0).records == 0
    assert progress.show(TaskType.REDUCE, 0.0).records == 7


def test_the_rate_is_that_of_the_last_seconds() -> None:
    progress = fold(PodStarted(pod=make_attempt()))
    rates = []
    for second, records in enumerate([0, 100, 200, 300, 300, 300, 300, 300, 300, 300]):
        progress.take(counts(records, 0))
        rates.append(progress.show(TaskType.MAP, float(second)).records_per_second)
    assert (rates[0], rates[1], rates[-1]) == (0.0, 100.0, 0.0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hello", TaskLine(words="hello")),
        ("{not json", TaskLine(words="{not json")),
        ('{"a": 1}', TaskLine(words='{"a": 1}')),
        ('{"event": "progress", "attempt": "a", "records": 3, "bytes": 9}', TaskLine(records=3, bytes=9)),
        ('{"event": "progress", "attempt": "a", "records": "x", "bytes": 9}', TaskLine()),
        ('{"event": "task committed", "attempt": "a", "level": "info"}', TaskLine()),
        ('{"event": "odd", "attempt": "a", "logger": "program", "level": "info", "n": 3}', TaskLine(words="odd n=3")),
    ],
    ids=["words", "half-json", "other-json", "progress", "odd-progress", "own-log", "program-log"],
)
def test_a_line_is_progress_or_the_programs_words_or_neither(line: str, expected: TaskLine) -> None:
    assert parse_line(line) == expected


def test_lines_come_only_when_something_has_changed() -> None:
    stream = io.StringIO()
    watcher = Watcher("job", LinesView(stream))
    watcher.take(StatusWritten(status=STATUS))
    watcher.take(PodStarted(pod=make_attempt()))
    watcher.take(counts(1200, 2048))
    for _ in range(3):
        watcher.view.draw(watcher.progress)
    assert stream.getvalue().splitlines() == [
        "job: 2 objects, 4.0 KiB, in 3 shards",
        "map 0/3 tasks",
        "map 0/3 tasks, 2.0 KiB of 4.0 KiB, 1,200 records",
    ]


def test_failures_show_at_once_and_the_verdict_is_left_to_the_report() -> None:
    stream = io.StringIO()
    watcher = Watcher("job", LinesView(stream))
    watcher.take(EventRecorded(kind="Warning", reason="AttemptFailed", message="m-0 (pod): ProgramError: boom\nmore"))
    watcher.take(EventRecorded(kind="Warning", reason="StorageUnavailable", message="no answer"))
    watcher.take(EventRecorded(kind="Normal", reason="Mapping", message="0 of 3 map tasks committed"))
    watcher.take(StatusWritten(status={"phase": "Failed"}))
    watcher.take(EventRecorded(kind="Warning", reason="BackoffLimitExceeded", message="one attempt failed"))
    assert stream.getvalue().splitlines() == [
        "failed: m-0 (pod): ProgramError: boom",
        "waiting: StorageUnavailable: no answer",
    ]


def test_what_the_program_prints_is_shown_up_to_a_limit() -> None:
    stream = io.StringIO()
    watcher = Watcher("job", LinesView(stream))
    for number in range(MAX_WORDS_LINES + 50):
        watcher.take(LineWritten(task=TaskRef.parse("m-3"), attempt_id="u1-0", line=f"line {number}"))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "m-3 | line 0"
    assert len(lines) == MAX_WORDS_LINES + 1
    assert "only its first 200 lines" in lines[-1]


def test_bars_show_tasks_bytes_and_records() -> None:
    stream = io.StringIO()
    view = BarsView(stream)
    view.console.width = 160
    watcher = Watcher("job", view)
    watcher.take(StatusWritten(status=STATUS))
    watcher.take(PodStarted(pod=make_attempt()))
    watcher.take(counts(1200, 2048))
    view.draw(watcher.progress)
    watcher.take(ended("m-0", "u1", 0))
    view.draw(watcher.progress)
    view.say("[not markup]", "failure")
    view.close()
    text = stream.getvalue()
    assert "1/3 tasks" in text
    assert "2.0 KiB  1,200 records" in text
    assert "[not markup]" in text


def test_json_lines_are_json() -> None:
    stream = io.StringIO()
    watcher = Watcher("job", JsonView(stream))
    watcher.take(StatusWritten(status=STATUS))
    watcher.take(LineWritten(task=TaskRef.parse("m-3"), attempt_id="u1-0", line="hello"))
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in told] == ["message", "progress", "words"]
    assert told[1]["map"]["total"] == 3


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (20 * 2**20, "20.0 MiB"), (5 * 2**60, "5120.0 PiB")],
)
def test_bytes_have_a_unit(number: int, text: str) -> None:
    assert render_bytes(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations_have_a_unit(seconds: float, text: str) -> None:
    assert render_seconds(seconds) == text


def test_one_is_not_many() -> None:
    assert (render_count(1, "object"), render_count(2000, "object")) == ("1 object", "2,000 objects")


def test_unknown_totals_are_a_question() -> None:
    assert render_tasks(TaskType.REDUCE, fold().show(TaskType.REDUCE, 0.0)) == "reduce 0/? tasks"


def test_the_time_left_is_that_of_the_status_and_shown_while_the_tasks_run() -> None:
    status = STATUS | {"wave": {"tasks": "map", "left": "2m10s"}}
    running = fold(StatusWritten(status=status), PodStarted(pod=make_attempt()), counts(10, 2048))
    line = "map 0/3 tasks, 2.0 KiB of 4.0 KiB, 10 records, about 2m10s left"
    assert render_tasks(TaskType.MAP, running.show(TaskType.MAP, 0.0)) == line
    assert running.show(TaskType.REDUCE, 0.0).left == ""
    running.take(ended("m-0", "u1", 0))
    assert "left" not in render_tasks(TaskType.MAP, running.show(TaskType.MAP, 0.0))
