"""Logs of tasks: JSON lines, or coloured lines on a terminal, in a stream that nothing else writes to.

Every line has `event`, `level`, `timestamp` and, in a task, `task` and `attempt`. Lines that the program logs through
`context.logger` also have `logger: program`.
"""

import sys
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from podreduce.watching.printed import Printed, copy_log

__all__ = ["configure_logs", "get_logger"]


def configure_logs(stream: TextIO | None = None, printed: Printed | None = None) -> None:
    """Send the logs to `stream` (default: standard output), readable if that is a terminal, else as JSON lines.

    They are copied to `printed`, if it is given.
    """
    stream = stream or sys.stdout
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer(default=str)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer if printed is None else copy_log(renderer, printed),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def get_logger(**bound: object) -> FilteringBoundLogger:
    """Return a logger that adds `bound` to every line."""
    logger: FilteringBoundLogger = structlog.get_logger(**bound)
    return logger
