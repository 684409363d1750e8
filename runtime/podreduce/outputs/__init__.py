"""Writes records of each output format into a staged part, as a stream. Rule: no scheduling, no user code."""

from podreduce.outputs.output import PartWriter, open_part

__all__ = ["PartWriter", "open_part"]
