"""What input objects hold and what output parts hold.

`blocks` reads a piece of an object as whole lines, `records` makes records of them, `fields` writes keys and values,
`output` streams them into a staged part. Rule: no scheduling, no user code.
"""

from podreduce.formats.blocks import Block, is_splittable, read_blocks
from podreduce.formats.output import PartWriter, open_part
from podreduce.formats.records import RecordReader, record_reader

__all__ = ["Block", "PartWriter", "RecordReader", "is_splittable", "open_part", "read_blocks", "record_reader"]
