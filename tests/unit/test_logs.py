import io
import json
from collections.abc import Iterator

import pytest
import structlog

from podreduce.logs import configure_logs, get_logger


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_logs_are_json_lines_where_nobody_reads_along() -> None:
    stream = io.StringIO()
    configure_logs(stream)
    get_logger(task="m-3").info("task committed", records=5, odd={1})
    line = json.loads(stream.getvalue())
    assert (line["event"], line["task"], line["records"], line["level"]) == ("task committed", "m-3", 5, "info")
    assert line["timestamp"].endswith("Z")


def test_logs_are_readable_on_a_terminal() -> None:
    stream = Terminal()
    configure_logs(stream)
    get_logger(task="m-3").info("task committed")
    assert "task committed" in stream.getvalue()
    assert "{" not in stream.getvalue()
