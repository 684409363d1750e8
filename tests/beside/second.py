"""The process beside: it runs at the lowest priority, so that the tests of the cluster have the processors first.

Rule: it writes each report as a line of JSON into the file that the first process has named, and ends with it.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

__all__ = ["pytest_addoption", "pytest_configure"]

LOWEST = 19


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option by which the first process names the file."""
    parser.addoption("--reports", type=Path, required=True, help="a file for the reports, a line each")


def pytest_configure(config: pytest.Config) -> None:
    """Make way for others, and report."""
    os.nice(LOWEST)
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    config.pluginmanager.register(Second(config))


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
        """Refuse the cluster: an operator of the first process's tests serves all of it."""
        if fixturedef.argname == "cluster":
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
