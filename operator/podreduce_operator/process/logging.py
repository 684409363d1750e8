"""Configures logs: one JSON object per line in a cluster, coloured lines on a terminal, also for libraries.

Rule: called once, by `entry`. All other code only calls `structlog.get_logger`.
"""

import logging
import sys

import structlog

from podreduce_operator.process.settings import LogFormat

__all__ = ["configure_logs"]

NOISY = {"kopf": "WARNING", "aiohttp.access": "WARNING", "asyncio": "WARNING", "kubernetes": "WARNING"}
"""Libraries whose INFO and DEBUG lines add nothing to the decision log."""


def configure_logs(log_format: LogFormat, level: str) -> None:
    """Send structlog's and the standard library's records to standard error in one format."""
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow={"job"})],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(console_renderers() if is_console else json_renderers()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, quiet in NOISY.items():
        logging.getLogger(name).setLevel(quiet)


def json_renderers() -> list[structlog.typing.Processor]:
    """Return the processors that write a line of JSON, with tracebacks as one string."""
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ]


def console_renderers() -> list[structlog.typing.Processor]:
    """Return the processors that write a line for people."""
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
