"""How results are printed. Rule: data; the command line imports it whatever the command is."""

from enum import StrEnum

__all__ = ["Format"]


class Format(StrEnum):
    """How results are printed."""

    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"
