"""Keeps a run's failure records: what decisions need of each of them, and the texts of the newest.

Rule: pure. The order in which records are added does not matter. There may be several for each task, and each may have
25 KB of texts.
"""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from heapq import heappush, heappushpop

import msgspec

from podreduce.contract.task import FailureRecord, TaskRef
from podreduce.contract.texts import cut_middle
from podreduce_operator.runs.record_budget import RunShare, size_of

__all__ = ["MAX_TEXT_BYTES", "KeptFailures"]

MAX_TEXT_BYTES = 8192
"""How much of each text of a failure is kept. The status and the post-mortem show less."""
MOST_IN_FULL = 100
"""How many failures keep their texts: the newest. The status has the last 10, the post-mortem the last 50."""
MAX_OLD_MESSAGE_BYTES = 300
"""How much of the message of an older failure is kept: as much as a condition has."""


class KeptFailures:
    """The failure records by task. `share` is what the run may take of the memory for records."""

    def __init__(self, share: RunShare) -> None:
        self._records: dict[str, FailureRecord] = {}
        self._keys: defaultdict[TaskRef, list[str]] = defaultdict(list)
        self._by_task: dict[TaskRef, tuple[FailureRecord, ...]] = {}
        self._changed: set[TaskRef] = set()
        self._in_full: list[tuple[float, str, str]] = []
        self._attempts: set[str] = set()
        self._share = share

    def __contains__(self, key: object) -> bool:
        """Tell whether the record at this key is kept."""
        return key in self._records

    @property
    def attempts(self) -> AbstractSet[str]:
        """The ids of the attempts with a record."""
        return self._attempts

    @property
    def by_task(self) -> Mapping[TaskRef, tuple[FailureRecord, ...]]:
        """All records by task, ordered by their end."""
        for task in self._changed:
            self._by_task[task] = tuple(sorted((self._records[key] for key in self._keys[task]), key=order_of))
        self._changed.clear()
        return dict(self._by_task)

    def add(self, key: str, failure: FailureRecord) -> None:
        """Keep the record at this key, which was not added before.

        Raises:
            ActionError: it would take too much memory.
        """
        kept = cut_texts(failure)
        self._share.take(size_of(kept) + size_of(key))
        self._keys[failure.task].append(key)
        self._attempts.add(failure.attempt_id)
        self._put(key, kept)
        place = (*order_of(failure), key)
        if len(self._in_full) < MOST_IN_FULL:
            heappush(self._in_full, place)
        else:
            _, _, oldest = heappushpop(self._in_full, place)
            long, short = self._records[oldest], shorten(self._records[oldest])
            self._put(oldest, short)
            self._share.change(size_of(short) - size_of(long))

    def _put(self, key: str, failure: FailureRecord) -> None:
        self._records[key] = failure
        self._changed.add(failure.task)


def order_of(failure: FailureRecord) -> tuple[float, str]:
    """Return what failures are ordered by: the newest is last."""
    return failure.finished_at, failure.attempt_id


def cut_texts(failure: FailureRecord) -> FailureRecord:
    """Return the failure with texts of limited length."""
    texts = {name: cut_middle(getattr(failure, name), MAX_TEXT_BYTES) for name in ("message", "traceback", "record")}
    return msgspec.structs.replace(failure, **texts)


def shorten(failure: FailureRecord) -> FailureRecord:
    """Return the failure with the beginning and end of its message, and without other texts."""
    message = cut_middle(failure.message, MAX_OLD_MESSAGE_BYTES)
    return msgspec.structs.replace(failure, message=message, traceback="", record="")
