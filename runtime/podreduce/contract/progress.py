"""A running attempt's report to the operator about its progress: best effort, and nothing depends on it.

A report is a POST of this record, as JSON, with the attempt's own token. The answer 204 means accepted.
"""

from podreduce.contract.wire import Wire

__all__ = ["ProgressReport"]


class ProgressReport(Wire, frozen=True, kw_only=True):
    """How far an attempt is. No number ever decreases.

    Attributes:
        records: input records read; `bytes` is their size as stored.
        reduced: values passed to the reduce function.
        records_out: records written, or put into the shuffle.
        beats: how often the program reported that it is not stuck (`context.progress`, `context.count`).
        fraction: how much of the work is done, from 0 to 1.
    """

    attempt_id: str
    records: int
    bytes: int
    reduced: int
    records_out: int
    beats: int
    fraction: float
