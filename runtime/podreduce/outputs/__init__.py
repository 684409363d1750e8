"""What output parts hold: records of each format, streamed into a staged part. Rule: no scheduling, no user code."""

from podreduce.outputs.output import PartWriter, open_part

__all__ = ["PartWriter", "open_part"]
