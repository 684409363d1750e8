"""What the tasks of a local run have printed, kept beside the history: a few lines a task, and bounded.

Rule: the logs of failed attempts are not here. They are kept whole in the run's work directory.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from podreduce.contract.layout import FAILURES_PREFIX, LOGS_PREFIX, parse_attempt_name
from podreduce_operator.cli.cluster.log_lines import parse_own
from podreduce_operator.cli.local_runs.history import History

__all__ = ["MOST_BYTES", "find_printed", "forget_others", "keep_printed"]

MOST_BYTES = 1 << 20
"""How much is kept of a run: the tasks in order, as long as they fit."""

DIRECTORY_NAME = "logs"
ENDING = ".log"
STORED_LOGS = f"store/*/*/*/*/{LOGS_PREFIX}*{ENDING}"
"""Below the work directory: the store, and the parts of a run's prefix."""


def keep_printed(history: History, run_id: str, places: Mapping[str, Path]) -> None:
    """Copy what the tasks of a run have printed to the history's directory.

    Args:
        history: where it is kept.
        run_id: of the run.
        places: the work directory of each step of a pipeline, by its name; that of a job by an empty name.

    Raises:
        OSError: it cannot be written.
    """
    left = MOST_BYTES
    for step, place in places.items():
        left = copy_logs(place, history.directory / DIRECTORY_NAME / run_id / step, left)


def copy_logs(place: Path, target: Path, left: int) -> int:
    """Copy the logs of one work directory, in at most `left` bytes, and return how many are left."""
    for path in sorted(place.glob(STORED_LOGS), key=task_order):
        if (path.parent.parent / FAILURES_PREFIX / f"{path.stem}.json").exists():
            continue
        text = "".join(program_lines(path.read_text(encoding="utf-8", errors="replace")))
        left -= len(text.encode())
        if left < 0:
            return 0
        if text:
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            (target / path.name).write_text(text, encoding="utf-8")
    return left


def task_order(path: Path) -> tuple[str, int, str]:
    """Order the logs of tasks by type and index."""
    task, attempt_id = parse_attempt_name(path.stem)
    return task.type.letter, task.index, attempt_id


def program_lines(text: str) -> Iterator[str]:
    """Yield the lines of a log that are the program's, printed or logged."""
    for line in text.splitlines(keepends=True):
        fields = parse_own(line)
        if fields is None or fields.get("logger") == "program":
            yield line


def find_printed(history: History, run_id: str, step: str = "") -> Iterator[tuple[str, str, Path]]:
    """Yield the task, the attempt and the file of what is kept of a run, or of one step of it."""
    for path in sorted((history.directory / DIRECTORY_NAME / run_id / step).glob(f"*{ENDING}"), key=task_order):
        task, attempt_id = parse_attempt_name(path.stem)
        yield str(task), attempt_id, path


def forget_others(history: History, run_ids: Collection[str]) -> None:
    """Remove what is kept of runs that the history no longer has."""
    with suppress(FileNotFoundError):
        for path in (history.directory / DIRECTORY_NAME).iterdir():
            if path.name not in run_ids:
                shutil.rmtree(path, ignore_errors=True)
