"""What a running attempt tells the operator of how far it is: best effort, and nothing depends on it.

A report is a POST of this, as JSON, with the attempt's own token; 204 is the answer to one that was taken.
"""

from podreduce.contract.wire import Wire

__all__ = ["ProgressReport"]


class ProgressReport(Wire, frozen=True, kw_only=True):
    """How far an attempt is. None of the numbers falls.

    Attributes:
        records: input records taken; `bytes` of them as stored.
        reduced: values handed to the reduce.
        records_out: what was written, or put into the shuffle.
        beats: how often the program said that it is not stuck (`context.progress`, `context.count`).
        fraction: how much of the work is done, from 0 to 1.
    """

    attempt_id: str
    records: int
    bytes: int
    reduced: int
    records_out: int
    beats: int
    fraction: float
