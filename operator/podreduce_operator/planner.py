"""Signatures first; the planner proper comes with the next commit."""

from collections.abc import Sequence
from dataclasses import dataclass

from podreduce.contract.plan import JobIdentity, Plan, Program, Shard, ShardPage
from podreduce_operator.spec import JobSpec

__all__ = ["InputObject", "PlannedShards", "build_plan", "plan_shards"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputObject:
    """One object of the input, as listed.

    Attributes:
        size_bytes: its stored (compressed) size.
        etag: what the store says of its content, if it does.
        compression: `gzip`, or None for an object that can be cut anywhere.
    """

    uri: str
    size_bytes: int
    etag: str | None = None
    compression: str | None = None

    @property
    def is_splittable(self) -> bool:
        """Whether a shard may hold a part of it."""
        return self.compression is None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShards:
    """The input, cut.

    Attributes:
        objects: how many objects there are; `bytes` is their total stored size, D.
        imbalance_bytes: sum over shards of |D_i - mean D|.
    """

    shards: tuple[Shard, ...]
    objects: int
    bytes: int
    imbalance_bytes: float


def plan_shards(
    objects: Sequence[InputObject], *, shards: int | None = None, shard_bytes: int | None = None
) -> PlannedShards:
    """Cut the concatenation of `objects` into `shards` shards, or shards of about `shard_bytes`.

    Raises:
        PlanError: the number of shards would exceed `MAX_SHARDS`.
    """
    raise NotImplementedError


def build_plan(
    *, job: JobIdentity, spec: JobSpec, raw_spec: dict[str, object], program: Program, planned: PlannedShards
) -> tuple[Plan, list[ShardPage]]:
    """Assemble the plan and its pages of shards; the plan names the SHA-256 of each page."""
    raise NotImplementedError
