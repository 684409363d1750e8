"""Some users whose history and list the report shows: drawn by a hash of their names, so always the same ones."""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from podreduce_apps.recommendation.rank import split_lists

__all__ = ["draw_histories", "draw_lists", "join_users", "smallest"]

Drawn = dict[str, Any]


def drawn_rows(users: list[str], known: Iterable[int], tested: Iterable[int], most: int) -> list[int]:
    """Return the rows of the users to show: with a history and something to predict, those with the smallest hashes."""
    able = [row for row, (had, then) in enumerate(zip(known, tested, strict=True)) if had and then]
    return sorted(able, key=lambda row: (crc32(users[row].encode()), users[row]))[:most]


def draw_histories(batch: pa.RecordBatch, most: int) -> Iterator[Drawn]:
    """Yield drawn users of the step `core` with the items they had, the latest first, and those they then chose."""
    users = batch.column("user").to_pylist()
    histories, tests = list(split_lists(batch.column("ids"))), list(split_lists(batch.column("test_ids")))
    times = list(split_lists(batch.column("times")))
    for row in drawn_rows(users, map(len, histories), map(len, tests), most):
        latest = histories[row][np.lexsort((histories[row], -times[row]))]
        yield {"user": users[row], "history": latest.tolist(), "chosen": tests[row].tolist()}


def draw_lists(batch: pa.RecordBatch, model: str, most: int) -> Iterator[Drawn]:
    """Yield drawn users of the step `rank` with their lists of one model."""
    lists = batch.filter(pa.array([name == model for name in batch.column("model").to_pylist()], pa.bool_()))
    users = lists.column("user").to_pylist()
    items, reasons = list(split_lists(lists.column("items"))), list(split_lists(lists.column("reasons")))
    tests = list(split_lists(lists.column("test_ids")))
    for row in drawn_rows(users, lists.column("known").to_pylist(), map(len, tests), most):
        yield {"user": users[row], "items": items[row].tolist(), "reasons": reasons[row].tolist()}


def smallest(drawn: Iterable[bytes], most: int) -> dict[str, Drawn]:
    """Return, of the users drawn in each batch, those with the smallest hashes of all."""
    found = [json.loads(each) for each in drawn]
    found.sort(key=lambda each: (crc32(each["user"].encode()), each["user"]))
    return {each["user"]: each for each in found[:most]}


def join_users(histories: dict[str, Drawn], lists: dict[str, Drawn]) -> list[Drawn]:
    """Return users with both."""
    return [{**each, **lists[user]} for user, each in histories.items() if user in lists]
