"""Plans and shuffle manifests, and what the operator keeps of them."""

from typing import Any

from podreduce.contract.plan import JobIdentity, Plan, Program
from podreduce_operator.model.observed import PlanSummary, ShuffleSummary
from tests.support.builders.jobs import JOB_UID, make_raw_spec

__all__ = ["make_plan", "make_plan_summary", "make_shuffle"]


def make_plan(*, shards: int = 2, partitions: int | None = 1, user_partitions: int = 1, **fields: Any) -> Plan:
    """The default job's plan, as `planner.build_plan` would write it, over an input that is never read."""
    defaults: dict[str, Any] = {
        "job": JobIdentity(namespace="default", name="wordcount", uid=JOB_UID, run_id="1"),
        "program": Program(source=make_raw_spec()["program"]["source"]),
        "input_format": "Text",
        "encoding_errors": "Strict",
        "objects": 1,
        "bytes": 100,
        "imbalance_bytes": 0.0,
        "pages": (),
        "virtual_buckets": 16,
        "output_uri": "memory://output/counts/",
        "output_format": "Text",
        "if_exists": "Fail",
        "spec": make_raw_spec(),
    }
    return Plan(shards=shards, partitions=partitions, user_partitions=user_partitions, **(defaults | fields))


def make_plan_summary(*, shards: int = 2, partitions: int | None = 1, **fields: Any) -> PlanSummary:
    defaults: dict[str, Any] = {"digest": "0" * 64, "objects": 1, "bytes": 100, "imbalance_bytes": 0.0}
    return PlanSummary(shards=shards, partitions=partitions, **(defaults | fields))


def make_shuffle(
    *,
    generation: int = 0,
    partitions: int = 1,
    map_generations: tuple[int, ...] = (0, 0),
    partition_bytes: tuple[int, ...] = (),
) -> ShuffleSummary:
    return ShuffleSummary(
        generation=generation,
        partitions=partitions,
        map_generations=map_generations,
        partition_bytes=partition_bytes or (100,) * partitions,
        imbalance_bytes=0.0,
        hash_imbalance_bytes=0.0,
    )
