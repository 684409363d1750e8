import json
from typing import Any

import pytest

from podreduce.contract.progress import ProgressReport
from podreduce_operator.cluster.progress_board import ProgressBoard, read_progress_line
from podreduce_operator.model.pods import AttemptProgress
from tests.support.builders.pods import make_pod

LINE = {
    "event": "progress",
    "attempt": "uid-0",
    "records": 1,
    "bytes": 2,
    "reduced": 3,
    "recordsOut": 4,
    "beats": 5,
    "fraction": 0.5,
    "level": "info",
}


def make_report(attempt_id: str = "uid-0", **counts: Any) -> ProgressReport:
    defaults = {"records": 0, "bytes": 0, "reduced": 0, "records_out": 0, "beats": 0, "fraction": 0.0}
    return ProgressReport(attempt_id=attempt_id, **(defaults | counts))


class Times:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_attempt_has_changed_when_any_of_its_counts_has() -> None:
    clock, pod = Times(), make_pod(uid="uid")
    board = ProgressBoard(clock, clock)
    seen = []
    for counts in ({"records": 1}, {"records": 1}, {"records": 1, "beats": 1}, {"records": 1, "beats": 1}):
        board.take(make_report(**counts))
        known = board.of([pod])["uid-0"]
        seen.append((known.reported_at, known.changed_at))
        clock.now += 10
    assert seen == [(100.0, 100.0), (110.0, 100.0), (120.0, 120.0), (130.0, 120.0)]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_is_set_makes_no_attempt_look_older(jump: float) -> None:
    clock, monotonic, pod = Times(), Times(), make_pod(uid="uid")
    board = ProgressBoard(clock, monotonic)
    board.take(make_report())
    clock.now += jump + 7
    monotonic.now += 7
    assert board.of([pod])["uid-0"].changed_at == clock.now - 7


def test_only_the_pods_asked_for_are_told_of() -> None:
    board = ProgressBoard(Times(), Times())
    board.take(make_report("a-0", fraction=0.25))
    board.take(make_report("b-0"))
    known = AttemptProgress(fraction=0.25, reported_at=100.0, changed_at=100.0)
    assert board.of([make_pod(uid="a"), make_pod(uid="c")]) == {"a-0": known}


def test_attempt_that_is_gone_is_forgotten() -> None:
    board = ProgressBoard(Times(), Times())
    board.take(make_report())
    board.forget("uid-0")
    board.forget("uid-0")
    assert board.of([make_pod(uid="uid")]) == {}


def test_line_of_a_tasks_log_is_a_report() -> None:
    assert read_progress_line(json.dumps(LINE)) == ProgressReport(
        attempt_id="uid-0", records=1, bytes=2, reduced=3, records_out=4, beats=5, fraction=0.5
    )


@pytest.mark.parametrize(
    "line",
    [
        "progress",
        '{"progress"',
        '{"progress": 1}',
        json.dumps(LINE | {"event": "task committed", "note": "progress"}),
        json.dumps(LINE | {"records": "many"}),
        json.dumps({"event": "progress", "logger": "program"}),
    ],
)
def test_other_lines_are_none(line: str) -> None:
    assert read_progress_line(line) is None
