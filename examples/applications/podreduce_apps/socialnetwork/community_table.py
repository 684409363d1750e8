"""One row for each community: its size, its edges, how sharp its border is, and who is in it."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.socialnetwork.graph import Ints
from podreduce_apps.socialnetwork.lines import WEIGHT_UNIT
from podreduce_apps.socialnetwork.quality import conductances

__all__ = ["DescribeCommunities", "describe_communities"]

TOP_MEMBERS = 5


class DescribeCommunities:
    """Vertices → a row for each community. In one task."""

    def setup(self, context: JobContext) -> None:
        """Describe all communities."""
        self.found = describe_communities(context.side_table("nodes"), context.side_table("quality"))
        self.is_written = False

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Yield the rows, with the first batch."""
        del batch
        if self.is_written:
            return None
        self.is_written = True
        return self.found


def describe_communities(nodes: Any, quality: Any) -> Any:  # noqa: ANN401 - Tables
    """Return the communities in the order of their numbers, from what the steps `nodes` and `quality` wrote."""
    nodes = nodes.sort_by("vertex")
    numbers = nodes["community"].to_numpy()
    roots = quality["community"].to_numpy()
    quality = quality.take(np.argsort(numbers[roots]))
    members, entries, within, volumes = (
        quality[name].to_numpy() for name in ("members", "entriesWithin", "weightWithin", "volume")
    )
    order, starts = order_members(numbers, nodes["pagerank"].to_numpy())
    names, groups = nodes["name"], nodes["group"]
    tops = [
        names.take(order[start : start + TOP_MEMBERS][: int(size)]).to_pylist()
        for start, size in zip(starts, members, strict=True)
    ]
    shares = [
        largest_group(groups.take(order[start : start + int(size)]).to_pylist())
        for start, size in zip(starts, members, strict=True)
    ]
    return pa.table(
        {
            "community": pa.array(np.arange(1, len(members) + 1)),
            "members": members,
            "edges": entries // 2,
            "density": entries / np.maximum(members * (members - 1), 1),
            "weightWithin": within / 2 / WEIGHT_UNIT,
            "volume": volumes / WEIGHT_UNIT,
            "conductance": conductances(within, volumes),
            "topMembers": pa.array(tops, pa.list_(pa.string())),
            "topGroup": pa.array([group for group, _ in shares], pa.string()),
            "groupShare": pa.array([share for _, share in shares], pa.float64()),
        }
    )


def order_members(numbers: Ints, ranks: Any) -> tuple[Ints, Ints]:  # noqa: ANN401 - a vector of PageRank
    """Return the vertices by community, the highest rank first, and where each community begins."""
    order = np.lexsort((np.arange(len(numbers)), -ranks, numbers))
    return order, np.searchsorted(numbers[order], np.arange(1, numbers.max() + 1))


def largest_group(groups: list[str]) -> tuple[str, float]:
    """Return the group that most members have, and the share that has it; the empty text if no group is known."""
    known = [group for group in groups if group]
    if not known:
        return "", 0.0
    group, count = min(Counter(known).items(), key=lambda each: (-each[1], each[0]))
    return group, count / len(groups)
