"""Numbers for people, and one line about the tasks of a type. Rule: pure."""

import textwrap
from collections.abc import Mapping
from typing import Any

from podreduce.contract.task import TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.cli.progress import TasksShown

__all__ = ["render_bytes", "render_ratio", "render_seconds", "render_tasks", "wrap"]

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def render_bytes(number: float) -> str:
    """Return bytes with a binary unit: `731 B`, `12.3 MiB`."""
    for unit in UNITS:
        if number < 1024 or unit == UNITS[-1]:  # noqa: PLR2004 - the step of binary units
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def wrap(text: str, width: int) -> str:
    """Return a text with its lines wrapped at `width` columns; code, which is indented, and long words stay whole."""
    return "\n".join(
        line if line[:1].isspace() or len(line) <= width else wrap_line(line, width) for line in text.split("\n")
    )


def wrap_line(line: str, width: int) -> str:
    """Return a line as several; all but the first are indented."""
    return textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def render_output(written: Mapping[str, Any]) -> str:
    """Return what an output or a step's output has, by the status: `1,042 records, 3.5 KiB`, `3 files`."""
    return ", ".join(list_written(written).values())


def list_written(written: Mapping[str, Any]) -> dict[str, str]:
    """Return the same by the status's fields: `records` with the files, and `bytes` if there are records."""
    size = {"bytes": render_bytes(written.get("bytes", 0))} if written.get("records") else {}
    return {"records": render_counts(written), **size}


def render_counts(written: Mapping[str, Any]) -> str:
    """Return the same without its size: `1,042 records`, `3 files`, `1 file and 12 records`."""
    records, files = written.get("records", 0), written.get("files", 0)
    if not files:
        return render_count(records, "record")
    counted = render_count(files, "file")
    return f"{counted} and {render_count(records, 'record')}" if records else counted


def render_seconds(seconds: float) -> str:
    """Return a duration: `2.1 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004


def render_ratio(ratio: str, noun: str) -> str:
    """Return how many of all: `3/8 tasks`, `0/1 task`, `0/? tasks`."""
    return f"{ratio} {noun}" if ratio.endswith("/1") else f"{ratio} {noun}s"


def render_tasks(task_type: TaskType, shown: TasksShown) -> str:
    """Return one line: `map 3/8 tasks, 12.3 of 20.1 MiB, 84,000 records, 41,000 records/s, about 40s left`."""
    parts = [f"{task_type} {render_ratio(shown.ratio, 'task')}"]
    if shown.records or shown.bytes:
        of_total = "" if shown.total_bytes is None else f" of {render_bytes(shown.total_bytes)}"
        if shown.bytes:  # a task reports its bytes block by block
            parts.append(f"{render_bytes(shown.bytes)}{of_total}")
        parts.append(render_count(shown.records, "record"))
    if shown.active and shown.records_per_second >= 1:
        parts.append(f"{shown.records_per_second:,.0f} records/s")
    if shown.active and shown.left:
        parts.append(f"about {shown.left} left")
    return ", ".join(parts)
