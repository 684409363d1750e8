"""The choices that several commands offer."""

from enum import StrEnum

__all__ = ["LogFormat"]


class LogFormat(StrEnum):
    """How a run shows progress on standard error."""

    AUTO = "auto"
    BARS = "bars"
    LINES = "lines"
    JSON = "json"
