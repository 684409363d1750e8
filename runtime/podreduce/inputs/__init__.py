"""Reads pieces of input objects as blocks of records.

`blocks` reads a piece of an object as whole lines, one module per format turns the bytes into records, and `reading`
chooses the module. Rule: no scheduling, no user code; a record belongs to the piece in which it starts.
"""

from podreduce.inputs.blocks import BLOCK_BYTES
from podreduce.inputs.column_types import parse_columns
from podreduce.inputs.json_inference import infer_columns
from podreduce.inputs.pairs import decode_pairs
from podreduce.inputs.reading import LARGE_BLOCK_BYTES, is_splittable, read_records, reads_whole_objects
from podreduce.inputs.record_block import RecordBlock
from podreduce.inputs.record_sample import RecordSampler
from podreduce.inputs.sampling import read_first_lines

__all__ = [
    "BLOCK_BYTES",
    "LARGE_BLOCK_BYTES",
    "RecordBlock",
    "RecordSampler",
    "decode_pairs",
    "infer_columns",
    "is_splittable",
    "parse_columns",
    "read_first_lines",
    "read_records",
    "reads_whole_objects",
]
