import contextlib
import json
import os
import pty
import subprocess
import sys

import pytest

SCRIPT = """\
import logging, structlog
from podreduce_operator.process.logging import configure_logs
configure_logs({log_format!r}, {level!r})
structlog.get_logger("mine").info("planned", job="a/b", shards=3)
structlog.get_logger("mine").debug("decided")
logging.getLogger("library").warning("half %s", "full")
logging.getLogger("kopf.objects").info("noise")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("mine").exception("failed")
"""


def run(log_format: str, level: str = "info") -> list[str]:
    script = SCRIPT.format(log_format=log_format, level=level)
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout == ""
    return finished.stderr.splitlines()


@pytest.mark.parametrize("log_format", ["json", "auto"])
def test_in_a_cluster_every_line_is_one_json_object(log_format: str) -> None:
    planned, library, failed = (json.loads(line) for line in run(log_format))
    assert (planned["message"], planned["job"], planned["shards"], planned["level"]) == ("planned", "a/b", 3, "info")
    assert (library["message"], library["logger"], library["level"]) == ("half full", "library", "warning")
    assert "ZeroDivisionError" in failed["exception"]
    assert all(line["time"].endswith("Z") for line in (planned, library, failed))


def test_for_people_lines_are_readable() -> None:
    text = "\n".join(run("console"))
    assert "planned" in text
    assert "job=a/b" in text
    assert "{" not in text.splitlines()[0]


def test_debug_shows_the_decisions() -> None:
    assert any("decided" in line for line in run("json", "debug"))


def run_on_terminal(log_format: str) -> str:
    """What the script shows where its standard error is a terminal."""
    ours, theirs = pty.openpty()
    script = SCRIPT.format(log_format=log_format, level="info")
    with subprocess.Popen([sys.executable, "-c", script], stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # a terminal whose last user has gone says EIO
            while read := os.read(ours, 4096):
                shown += read
        os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_on_a_terminal_lines_are_coloured_for_people() -> None:
    shown = run_on_terminal("auto")
    assert "planned" in shown
    assert "\x1b[" in shown
    assert '"message"' not in shown


def test_on_a_terminal_too_json_is_json_where_it_is_asked_for() -> None:
    planned, *_ = (json.loads(line) for line in run_on_terminal("json").splitlines())
    assert (planned["message"], planned["job"]) == ("planned", "a/b")


LOCAL = """\
import structlog
from podreduce_operator.cli.logging_setup import configure_logs
configure_logs({log_format!r})
log = structlog.get_logger("loop")
log.debug("decided")
log.info("planned", shards=3)
log.error("lost", task="m-0")
"""


@pytest.mark.parametrize(
    ("log_format", "told"), [("json", ["planned", "lost"]), ("lines", ["lost"]), ("auto", ["lost"])]
)
def test_of_a_local_run_people_are_told_errors_and_machines_all_but_debugging(log_format: str, told: list[str]) -> None:
    script = LOCAL.format(log_format=log_format)
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = finished.stderr.splitlines()
    assert finished.stdout == ""
    assert len(lines) == len(told)
    if log_format == "json":
        assert [json.loads(line)["event"] for line in lines] == told
    else:
        assert "lost" in lines[0]
        assert "{" not in lines[0]
