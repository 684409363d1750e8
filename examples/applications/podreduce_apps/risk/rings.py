"""Rings: cards that belong together because they were used on the same devices, directly or by way of others.

A device of very many cards, such as a shop's own tablet, says nothing about any two of them. It is a hub: it is listed,
and joins nobody.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.risk.card_tokens import card_name
from podreduce_apps.risk.periods import DAY_SECONDS, Periods

__all__ = ["Rings", "SharedDevices", "find_rings"]

DAYS = 30
LEAST_CARDS = 3


class SharedDevices:
    """The devices of the last 30 days that several cards used, each with its cards and its frauds."""

    def setup(self, context: JobContext) -> None:
        """Read the period, and from how many cards a device is a hub."""
        self.context, self.periods = context, Periods.read(context.parameters)
        self.most_cards = read_whole(context.parameters, "hubCards", least=1)

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return each device and card of the batch once, with the number of frauds."""
        days = batch["time"].to_numpy() // DAY_SECONDS
        is_near = (days >= self.periods.score_to - DAYS) & (days < self.periods.score_to)
        rows = pa.Table.from_batches(
            [batch.filter(pa.array(is_near & batch["device"].is_valid().to_numpy(zero_copy_only=False)))]
        )
        found = rows.group_by(["device", "card"], use_threads=False).aggregate([("fraud", "sum")])
        values = pa.array(np.column_stack([found["card"], found["fraud_sum"]]).tolist(), pa.list_(pa.int64()))
        return pa.table({"key": found["device"], "value": values})

    def reduce_func(self, device: str, values: Iterator[Sequence[int]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield a device with its cards; of a hub only how many it has."""
        frauds: dict[int, int] = {}
        for card, fraud in values:
            frauds[card] = frauds.get(card, 0) + fraud
        if len(frauds) > self.most_cards:
            self.context.count("rings", "hubs")
            yield device, (len(frauds), sum(frauds.values()), ())
        elif len(frauds) > 1:
            yield device, (len(frauds), sum(frauds.values()), tuple(sorted(frauds)))


class Rings:
    """Joins devices that have a card in common, in one task: only shared devices come here."""

    def setup(self, context: JobContext) -> None:
        """Keep the context."""
        self.context = context

    def map_func(self, device: str, value: tuple[Any, ...]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield every device under one key."""
        yield 0, (device, *value)

    def reduce_func(self, _key: int, values: Iterator[tuple[Any, ...]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each ring, and each hub."""
        devices = sorted(values)
        for device, cards, frauds, joined in devices:
            if not joined:
                yield "hub", {"device": device, "cards": cards, "frauds": frauds}
        shared = {device: (frauds, joined) for device, _, frauds, joined in devices if joined}
        for names in find_rings({device: joined for device, (_, joined) in shared.items()}):
            cards = sorted({card for name in names for card in shared[name][1]})
            if len(cards) >= LEAST_CARDS:
                frauds = sum(shared[name][0] for name in names)
                yield "ring", {"cards": [card_name(card) for card in cards], "devices": names, "frauds": frauds}


def find_rings(devices: dict[str, Sequence[int]]) -> list[list[str]]:
    """Return the devices that hang together by their cards, each group in order (union by the smaller name)."""
    leader = {device: device for device in devices}

    def find(device: str) -> str:
        while leader[device] != device:
            leader[device] = leader[leader[device]]
            device = leader[device]
        return device

    first_of_card: dict[int, str] = {}
    for device in sorted(devices):
        for card in devices[device]:
            one, other = sorted((find(device), find(first_of_card.setdefault(card, device))))
            leader[other] = one
    groups: dict[str, list[str]] = {}
    for device in sorted(devices):
        groups.setdefault(find(device), []).append(device)
    return list(groups.values())
