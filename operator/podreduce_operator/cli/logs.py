"""Where the loop's own log goes in a local run: to standard error, and only what a person should know of.

Rule: called once, before the loop starts. On a cluster `handlers` does this.
"""

import logging
import sys

import structlog

__all__ = ["configure_logs"]


def configure_logs(log_format: str) -> None:
    """Send warnings, or for machines everything but debugging, to standard error."""
    level = logging.INFO if log_format == "json" else logging.WARNING
    renderer = structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
