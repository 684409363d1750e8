"""Cycles: money that comes back to where it started in two to four hops, each later and nearly as large as the first.

A path is a chain of transfers. Each round joins the paths that end at an account with the transfers that leave it. What
comes back is a cycle; what does not goes into the next round.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.transfers import Limits, Transfer, read_transfer

__all__ = ["Cycles", "Hop", "extend_path"]

PATH, NEXT = 0, 1

Path = Sequence[Transfer]


class Hop:
    """Paths that are one transfer longer, and the cycles among them."""

    def setup(self, context: JobContext) -> None:
        """Read the limits."""
        self.context, self.limits = context, Limits.read(context.parameters)

    def map_func(self, key: object, value: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:  # noqa: ANN401 - rows, or paths
        """Yield open paths under the account that they have reached, and transfers under the one that they leave."""
        if self.context.input == "paths":
            if key == "path":
                yield value[-1][3], (PATH, value)
            return
        transfer = read_transfer(value)
        if transfer.source != transfer.target:
            where = transfer.target if self.context.input == "first" else transfer.source
            kind, packed = (PATH, (astuple(transfer),)) if self.context.input == "first" else (NEXT, astuple(transfer))
            yield where, (kind, packed)

    def reduce_func(self, _account: str, values: Iterator[tuple[int, Any]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield what the account's paths become."""
        paths: set[tuple[Transfer, ...]] = set()  # a line that comes twice is one transfer
        following: set[Transfer] = set()
        for kind, packed in values:
            if kind == PATH:
                paths.add(tuple(Transfer(*each) for each in packed))
            else:
                following.add(Transfer(*packed))
        if len(following) > self.limits.hub_transfers:
            self.context.count("transfers", "hubs")
            return
        nexts = sorted(following)
        for path in sorted(paths):
            for longer in extend_path(path, nexts, self.limits):
                closed = longer[-1].target == longer[0].source
                yield ("cycle" if closed else "path"), tuple(astuple(each) for each in longer)


def extend_path(path: Path, nexts: Sequence[Transfer], limits: Limits) -> Iterator[list[Transfer]]:
    """Yield the path with each transfer that may follow: later, nearly as large, to the start or to a new account."""
    seen = {each.source for each in path[1:]}
    for transfer in nexts:
        is_in_time = path[-1].time < transfer.time <= path[0].time + limits.window_seconds
        is_large = limits.share * path[0].amount <= transfer.amount <= path[0].amount
        if is_in_time and is_large and (transfer.target == path[0].source or transfer.target not in seen):
            yield [*path, transfer]


class Cycles:
    """All cycles, each with its evidence."""

    def map_func(self, key: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - a path
        """Yield a cycle."""
        if key == "cycle":
            path = [Transfer(*each) for each in value]
            yield (
                "cycle",
                {
                    "accounts": [each.source for each in path],
                    "amount": path[0].amount / 100,
                    "back": path[-1].amount / 100,
                    "from": path[0].time,
                    "to": path[-1].time,
                    "transfers": [each.id for each in path],
                },
            )
