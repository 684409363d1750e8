"""The data of the Handbook's size, written once, and the application run on it by the command that people use."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from podreduce_apps.risk.sample import HANDBOOK, write_data
from tests.support.podreduce_command import COMMAND

__all__ = ["prepare_data", "run_application", "say"]

PARAMETERS = (
    "cardsPerDay=100",
    "trainFrom=2018-07-25",
    "trainDays=7",
    "delayDays=7",
    "scoreDays=7",
    "calibrationDays=0",
)


def prepare_data(directory: Path) -> Path:
    """Return the directory with the data, which are written unless they are there."""
    if not (directory / "labels" / "reports.csv").is_file():
        write_data(directory, HANDBOOK)
    return directory


def run_application(data: Path, output: Path) -> tuple[float, dict[str, Any]]:
    """Run the application from CSV to alerts and report; return the seconds and `metrics.json`."""
    command = [
        *COMMAND,
        "app",
        "run",
        "risk",
        "-i",
        f"{data}/",
        "-o",
        str(output),
    ]
    parameters = [word for parameter in PARAMETERS for word in ("-p", parameter)]
    start = time.monotonic()
    subprocess.run([*command, *parameters], check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    return seconds, json.loads((output / "report" / "_files" / "metrics.json").read_text())


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
