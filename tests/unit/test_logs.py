import json
import subprocess
import sys

import pytest

SCRIPT = """\
import logging, structlog
from podreduce_operator.logs import configure_logs
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
