"""The process that a person looks at: it runs the tests of cluster and store, and tells what the second process does.

Rule: between two tests of its own it takes in the reports of the second process as if those tests had run here. So
there is one list of failures, one summary and one exit code. Load it by `-p tests.beside.first`, without paths.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.beside import second

HERE: Final = ("conformance", "e2e")
"""The folders that this process runs. What uses the cluster must be in one of them; all else runs in the second."""

LAST_LINES: Final = 40
PAUSE_SECONDS: Final = 10
"""Between two tellings, so that the lines of two files do not take turns."""

POLL_SECONDS: Final = 0.1
SECONDS_TO_END: Final = 10


def pytest_configure(config: pytest.Config) -> None:
    """Take part in a run of all tests."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        raise pytest.UsageError(f"{__name__} is for a run of all tests: name no paths, or run pytest without it")
    config.pluginmanager.register(First(config))


def pytest_report_header() -> str:
    """Say which tests are not counted among those that this process collects."""
    return f"beside: a second process runs all but {' and '.join(HERE)}"


class First:
    """Starts the second process, takes in its reports, and ends it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.folders = find_folders(config.rootpath / "tests")
        self.place = tempfile.TemporaryDirectory(prefix="podreduce-beside-")
        self.reports = Path(self.place.name) / "reports"
        self.output = Path(self.place.name) / "output"
        self.taken = 0
        self.told_at = time.monotonic()
        self.expected, self.finished = 0, 0
        self.status: int | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def pytest_sessionstart(self) -> None:
        """Start the second process, with the options of this one."""
        self.reports.touch()
        given = map(str, self.config.invocation_params.args)
        options = [second.__name__ if each == __name__ else each for each in given]
        command = [sys.executable, "-m", "pytest", *options, f"--reports={self.reports}", *map(str, self.folders)]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=self.config.rootpath,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out what the second process runs."""
        return True if collection_path in self.folders else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Run a test, and then tell what has happened beside it, if that was not a moment ago."""
        result = yield
        if time.monotonic() - self.told_at > PAUSE_SECONDS:
            self.take_in(item.session)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """Run all tests of this process, and wait for those of the second."""
        result = yield
        while self.process is not None and self.process.poll() is None:
            self.take_in(session)
            stop_if_told(session)
            time.sleep(POLL_SECONDS)
        self.take_in(session)
        stop_if_told(session)
        self.check_end(session)
        return result

    def pytest_unconfigure(self) -> None:
        """End the second process where it still runs: this one was interrupted, or stops at a failure."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.place.cleanup()

    def take_in(self, session: pytest.Session) -> None:
        """Handle the whole lines that have come since the last time."""
        self.told_at = time.monotonic()
        with self.reports.open("rb") as file:
            file.seek(self.taken)
            for line in file:
                if line.endswith(b"\n"):
                    self.taken += len(line)
                    self.handle(json.loads(line), session)

    def handle(self, message: dict[str, Any], session: pytest.Session) -> None:
        """Do what pytest does when the same happens in its own process."""
        if "collected" in message:
            self.expected = message["collected"]
            session.testscollected += self.expected
        elif "status" in message:
            self.status = message["status"]
        else:
            self.report(self.config.hook.pytest_report_from_serializable(config=self.config, data=message["report"]))

    def report(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Report a phase of a test, or a module that could not be collected."""
        hook = self.config.hook
        if isinstance(report, pytest.CollectReport):
            hook.pytest_collectreport(report=report)
            return
        longrepr: Any = report.longrepr
        if isinstance(longrepr, list):
            report.longrepr = tuple(longrepr)  # where and why a test was skipped: JSON has no tuples
        place = {"nodeid": report.nodeid, "location": report.location}
        if report.when == "setup":
            hook.pytest_runtest_logstart(**place)
        hook.pytest_runtest_logreport(report=report)
        if report.when == "teardown":
            self.finished += 1
            hook.pytest_runtest_logfinish(**place)

    def check_end(self, session: pytest.Session) -> None:
        """Report an error if the second process has not run all its tests, with what it said last."""
        is_stopped = self.config.getoption("maxfail") and session.testsfailed
        if self.status is not None and (self.finished == self.expected or is_stopped):
            return
        code = self.process.returncode if self.process is not None else None
        said = "\n".join(self.output.read_text(errors="replace").splitlines()[-LAST_LINES:])
        why = f"it ended with {code} after {self.finished} of {self.expected} tests, and said last:\n{said}"
        self.report(pytest.CollectReport(nodeid="the second process", outcome="failed", longrepr=why, result=[]))


def find_folders(tests: Path) -> list[Path]:
    """Return the folders of the second process; `unit` is among the first, since its failures say most."""
    return sorted(
        (each for each in tests.iterdir() if each.is_dir() and each.name not in {*HERE, "__pycache__"}), reverse=True
    )


def stop_if_told(session: pytest.Session) -> None:
    """Stop as pytest does between two tests, for example after the first failure with `-x`."""
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
