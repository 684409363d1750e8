"""What a run of a job would read, cut, ask for and replace, without running anything. Rule: only reads.

It goes the way of `plan_run` up to the first write, so both refuse the same input in the same words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from podreduce.contract.plan import SideInput
from podreduce.storage import ObjectStore
from podreduce_operator.api.spec import JobSpec
from podreduce_operator.balance.even_cuts import imbalance_bytes
from podreduce_operator.balance.partition_count import choose_partitions
from podreduce_operator.model.observed import SeveralPods
from podreduce_operator.model.pods import Requests
from podreduce_operator.planning.packed_input import InputObject
from podreduce_operator.planning.plan_run import cut_inputs, read_inputs
from podreduce_operator.pods.pod_manifest import TASK_CONTAINER
from podreduce_operator.pods.pod_resources import read_requests
from podreduce_operator.pods.template_merge import merge_template
from podreduce_operator.policy.pod_packing import MOST_TASKS, most_per_pod, share_out
from podreduce_operator.policy.single_pod_jobs import is_small_job, why_several_pods
from podreduce_operator.runs.output_claim import RESERVED_PREFIX, Claim, read_claim
from podreduce_operator.runs.run import Run

__all__ = ["JobOutlook", "Wave", "WhatIsThere", "count_pods", "look_ahead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """The tasks of one type.

    Attributes:
        tasks: how many there are; of reduces, if their number is chosen after the maps, what it would be if the maps
            wrote as much as they read.
        is_estimate: that is so.
        pods: how many pods they take if none fails; `at_a_time` of them at most.
        requests: what each pod requests; None in it is left to the installation.
    """

    tasks: int
    is_estimate: bool = False
    pods: int
    at_a_time: int
    requests: Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIsThere:
    """What lies at the output already, besides podreduce's own objects; and which run writes there now."""

    objects: int = 0
    bytes: int = 0
    claim: Claim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutlook:
    """What a run of a job would do.

    Attributes:
        inputs: the objects of each input, by its name.
        side_inputs: what every pod fetches.
        shard_bytes: the size of each shard.
        imbalance_bytes: sum of |size - mean size| over the shards.
        maps, reduces: the tasks; no reduces in a map-only job.
        is_one_pod: one pod takes all tasks.
        several_pods: why that is not so, where pods are started and `execution: Auto` would allow it.
        output: what is at the output now.
    """

    inputs: Mapping[str, Sequence[InputObject]]
    side_inputs: Sequence[SideInput]
    shard_bytes: Sequence[int]
    imbalance_bytes: float
    maps: Wave
    reduces: Wave | None
    is_one_pod: bool
    several_pods: SeveralPods | None
    output: WhatIsThere

    @property
    def input_bytes(self) -> int:
        """The size of all inputs."""
        return sum(self.shard_bytes)


async def look_ahead(run: Run, *, parallelism: int, packs: bool) -> JobOutlook:
    """Return what the run would do.

    Args:
        run: the run. Nothing is written to its stores.
        parallelism: how many pods may run at a time.
        packs: whether a pod may take several tasks, as on a cluster.

    Raises:
        ActionError: the input does not allow the run; the reason says which.
        StorageDeniedError, StorageUnavailableError: something cannot be read.
    """
    spec = run.job.spec
    found = await read_inputs(run)
    planned = cut_inputs(spec, found.listings, starts_pods=packs)
    sizes = [after - before for before, after in pairwise(planned.cuts)]
    reduces = plan_reduces(run, sum(sizes), parallelism, packs=packs)
    return JobOutlook(
        inputs=dict(zip([each.name for each in spec.all_inputs.values()], found.listings, strict=True)),
        side_inputs=found.side_inputs,
        shard_bytes=sizes,
        imbalance_bytes=imbalance_bytes(planned.cuts),
        maps=plan_wave(run, "map", len(sizes), sum(sizes), parallelism, packs=packs),
        reduces=reduces,
        is_one_pod=packs and fits_one_pod(run, len(sizes), sum(sizes)),
        several_pods=why_several_pods(run.job.raw_spec, sum(sizes), len(sizes)) if packs else None,
        output=await look_at_output(run.output),
    )


def plan_reduces(run: Run, size: int, parallelism: int, *, packs: bool) -> Wave | None:
    """Return the reduce tasks, for maps that write `size` bytes; None in a map-only job."""
    wanted = run.job.spec.reduce.partitions
    if wanted == 0:
        return None
    tasks = choose_partitions(size, parallelism) if wanted is None else wanted
    return plan_wave(run, "reduce", tasks, size, parallelism, packs=packs, is_estimate=wanted is None)


def plan_wave(
    run: Run,
    kind: Literal["map", "reduce"],
    tasks: int,
    size: int,
    parallelism: int,
    *,
    packs: bool,
    is_estimate: bool = False,
) -> Wave:
    """Return the tasks of a type, which have `size` bytes together."""
    spec = run.job.spec
    wanted = spec.tasks_per_pod if packs else 1
    pods = count_pods(tasks, wanted, parallelism, size / max(tasks, 1))
    requests = read_task_requests(spec, kind)
    return Wave(tasks=tasks, is_estimate=is_estimate, pods=pods, at_a_time=min(pods, parallelism), requests=requests)


def count_pods(tasks: int, wanted: int | Literal["Auto"], parallelism: int, mean_bytes: float) -> int:
    """Return how many pods these tasks take, if all pods that start together end together."""
    pods = 0
    while tasks > 0:
        most = most_per_pod(wanted, ready=tasks, parallelism=parallelism, mean_bytes=mean_bytes)
        groups = share_out(tasks, max(parallelism, 1), most)
        pods, tasks = pods + len(groups), tasks - sum(groups)
    return pods


def fits_one_pod(run: Run, shards: int, size: int) -> bool:
    """Tell whether one pod takes all tasks of the job (`execution: Auto`)."""
    spec = run.job.spec
    partitions = 1 if spec.reduce.partitions is None else spec.reduce.partitions
    return is_small_job(run.job.raw_spec, size, shards) and 1 < shards + partitions <= MOST_TASKS


def read_task_requests(spec: JobSpec, kind: Literal["map", "reduce"]) -> Requests:
    """Return what the job's templates request for a task. Kubernetes takes a limit for a request that is not set."""
    own = spec.map.pod_template if kind == "map" else spec.reduce.pod_template
    template = merge_template(spec.pod_template, own, f"spec.{kind}.podTemplate")
    resources = find_resources(template)
    return read_requests({"requests": {**(resources.get("limits") or {}), **(resources.get("requests") or {})}})


def find_resources(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the resources of the task's container."""
    containers = (template.get("spec") or {}).get("containers") or ()
    return next((each.get("resources") or {} for each in containers if each.get("name") == TASK_CONTAINER), {})


async def look_at_output(output: ObjectStore) -> WhatIsThere:
    """Return what is at the output."""
    sizes = [found.size async for found in output.list_async("") if not found.key.startswith(RESERVED_PREFIX)]
    return WhatIsThere(objects=len(sizes), bytes=sum(sizes), claim=await read_claim(output))
