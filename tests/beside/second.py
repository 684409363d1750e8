"""The process beside: it runs at a low priority, so that the tests of the cluster have the processors first.

Rule: it writes each report as a line of JSON into the file that the first process has named, and ends with it.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

__all__ = ["pytest_addoption", "pytest_configure"]

LOW = 10
"""A nice value that leaves a tenth of a busy processor: with less, tests that wait for an event would give up."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option by which the first process names the file."""
    parser.addoption("--reports", type=Path, required=True, help="a file for the reports, a line each")


def pytest_configure(config: pytest.Config) -> None:
    """Make way for others, and report."""
    make_way()
    config.pluginmanager.register(Second(config))


def make_way() -> None:
    """Take what others leave of the processors: as a process, and as a session where Linux shares by session.

    Source: sched(7), the autogroup feature: the nice value of a process counts only within its session.
    """
    os.nice(LOW)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(LOW))


class Second:
    """Writes reports."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.first = os.getppid()
        self.file = config.getoption("reports").open("w")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say how many tests there are to come."""
        self.write({"collected": len(session.items)})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Report what could not be collected."""
        if report.failed:
            self.write_report(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Report a phase of a test."""
        self.write_report(report)

    def pytest_fixture_setup(self, fixturedef: "pytest.FixtureDef[object]") -> None:
        """Refuse the session's cluster: an operator of the first process's tests serves all of it."""
        if fixturedef.argname == "cluster" and fixturedef.scope == "session":
            pytest.fail("what needs the cluster is in tests/e2e or tests/conformance", pytrace=False)

    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """End with the first process, however that ended."""
        if os.getppid() != self.first:
            item.session.shouldstop = "the first process is gone"

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Say how it ended."""
        self.write({"status": int(exitstatus)})

    def write_report(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Write a report as pytest itself sends it to another process."""
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        self.write({"report": data})

    def write(self, message: dict[str, Any]) -> None:
        """Write a line, which the other process can read at once."""
        self.file.write(json.dumps(message) + "\n")
        self.file.flush()
