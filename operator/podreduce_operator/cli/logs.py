"""Where the loop's own log goes in a local run: to standard error, and to people only its errors.

Rule: called once, before the loop starts. What the log warns of, a person is told by the view and the report.
"""

import logging
import sys

import structlog

__all__ = ["configure_logs"]


def configure_logs(log_format: str) -> None:
    """Send errors, or for machines everything but debugging, to standard error as it is at that moment."""
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
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # while bars are shown, it is theirs
    )
