"""Smurfing: one account gets from, or gives to, many others amounts that each stay below a limit, in a short time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.transfers import Limits, Transfer, read_transfer

__all__ = ["Smurfing", "find_smurfing"]


class Smurfing:
    """The accounts with many small transfers in (`fan-in`) or out (`fan-out`), each at its strongest."""

    def setup(self, context: JobContext) -> None:
        """Read the limits."""
        self.context, self.limits = context, Limits.read(context.parameters)

    def map_func(self, _offset: int, row: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], tuple[Any, ...]]]:
        """Yield each small transfer under the account that it leaves, and under the one that it reaches."""
        transfer = read_transfer(row)
        if transfer.amount < self.limits.amount and transfer.source != transfer.target:
            yield ("fan-out", transfer.source), astuple(transfer)
            yield ("fan-in", transfer.target), astuple(transfer)

    def reduce_func(
        self, key: tuple[str, str], values: Iterator[tuple[Any, ...]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the account's pattern, if there is one; a hub is counted."""
        kind, account = key
        transfers = sorted({Transfer(*value) for value in values})  # a line that comes twice is one transfer
        if len(transfers) > self.limits.hub_transfers:
            self.context.count("transfers", "hubs")
            return
        found = find_smurfing(transfers, self.limits, by_source=kind == "fan-in")
        if found:
            yield kind, describe(account, found, by_source=kind == "fan-in")


def find_smurfing(transfers: Sequence[Transfer], limits: Limits, *, by_source: bool) -> list[Transfer]:
    """Return the transfers of the window with the most different accounts, the first of equals; empty: no pattern.

    A window is that of the transfers within `window_seconds` before and at one of them.
    """
    best: list[Transfer] = []
    most, first = limits.accounts - 1, 0
    for last, transfer in enumerate(transfers):
        while transfers[first].time <= transfer.time - limits.window_seconds:
            first += 1
        window = transfers[first : last + 1]
        accounts = len({each.source if by_source else each.target for each in window})
        if accounts > most and sum(each.amount for each in window) >= limits.amount:
            best, most = list(window), accounts
    return best


def describe(account: str, transfers: Sequence[Transfer], *, by_source: bool) -> dict[str, Any]:
    """Return a pattern with its evidence."""
    return {
        "account": account,
        "accounts": len({each.source if by_source else each.target for each in transfers}),
        "amount": sum(each.amount for each in transfers) / 100,
        "from": transfers[0].time,
        "to": transfers[-1].time,
        "transfers": [each.id for each in transfers],
    }
