"""Configures the loop's log in a local run: it goes to standard error, and people see only errors.

Rule: called once, before the loop starts. The view and the report show warnings to people.
"""

import logging
import sys

import structlog

__all__ = ["configure_logs"]


def configure_logs(log_format: str) -> None:
    """Send the log to the current standard error: errors only, or with `json` everything except debugging."""
    level = logging.INFO if log_format == "json" else logging.ERROR
    renderer = structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # looked up late, because the bars replace it
    )
