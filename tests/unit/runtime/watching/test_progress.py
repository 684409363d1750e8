import time

import pytest
import structlog

from podreduce.watching.progress import INTERVAL_SECONDS, Progress
from tests.support.builders.tasks import map_task


def test_progress_is_logged_while_the_task_works_and_at_its_end() -> None:
    with structlog.testing.capture_logs() as lines:
        progress = Progress(map_task(3), structlog.get_logger(), interval_seconds=0.01)
        with progress:
            progress.records, progress.bytes, progress.records_out = 5, 70, 9
            deadline = time.monotonic() + 5
            while len(lines) < 3 and time.monotonic() < deadline:
                time.sleep(0.005)
    assert len(lines) >= 4
    first, last = lines[1], lines[-1]
    assert (first["event"], first["task"], first["records"], first["bytes"], first["recordsOut"]) == (
        "progress",
        "m-3",
        5,
        70,
        9,
    )
    assert "done" not in first
    assert last["done"] is True
    assert [line["elapsedSeconds"] for line in lines] == sorted(line["elapsedSeconds"] for line in lines)


def test_a_task_that_fails_is_not_told_as_done() -> None:
    with (
        structlog.testing.capture_logs() as lines,
        pytest.raises(ZeroDivisionError),
        Progress(map_task(3), structlog.get_logger()),
    ):
        raise ZeroDivisionError
    assert [line for line in lines if "done" in line] == []


def test_the_interval_keeps_the_promised_second() -> None:
    assert INTERVAL_SECONDS < 1
