"""Small jobs that run in one pod, maps and then reduces (`execution: Auto`): which ones, and what is different.

A job of a few megabytes takes seconds. Starting a pod takes two of them, and starting a second wave two more. Rule:
pure. This is tried once. After a failure, or if something is committed and the pod is gone, each remaining task gets a
pod in the usual way.

The tasks of a pod run one after another. A small input may still mean hours of work, and its author then asks for
several tasks, because the planner would make one. Such a job gets a pod for each task.

The pod exists before the shuffle manifest. After its maps, its first reduce waits for the manifest. No event reports a
commit, so the operator looks for commits more often: four times a second, and less often the longer a task takes. So
the wait is short for short jobs, and long jobs cause no extra load.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from podreduce.contract.task import TaskRef, TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.model.actions import CreatePod
from podreduce_operator.model.observed import Observed, PlanSummary, SeveralPods
from podreduce_operator.model.pods import PodView
from podreduce_operator.policy.pod_packing import MOST_TASKS

__all__ = ["SHUFFLE_WAIT_SECONDS", "is_awaited", "is_small_job", "looks_at", "whole_job", "why_several_pods"]

SMALL_JOB_BYTES = 16 * 2**20
"""Input size that one process maps and reduces in the time that a few pods need to start."""

SHUFFLE_WAIT_SECONDS = 120
"""How long a reduce waits for the manifest. An operator that restarts is back by then."""

LOOK_SECONDS = 0.25
LOOK_SHARE = 0.05
LONGEST_LOOK_SECONDS = 15.0
"""How often the operator looks for an expected commit: after a share of the task's time so far, within limits."""


def is_small_job(spec: Mapping[str, Any], size_bytes: int, shards: int) -> bool:
    """Tell whether a job with this pinned spec, input size and number of shards may run in one pod."""
    return spec.get("execution") == "Auto" and why_several_pods(spec, size_bytes, shards) is None


def why_several_pods(spec: Mapping[str, Any], size_bytes: int, shards: int) -> SeveralPods | None:
    """Return what forbids one pod for the whole job; None if nothing does, or without `execution: Auto`."""
    if spec.get("execution") != "Auto":
        return None
    if size_bytes > SMALL_JOB_BYTES:
        size, most = render_count(size_bytes, "byte"), SMALL_JOB_BYTES // 2**20
        text = f"the input has {size}, and one pod takes all tasks of a job of up to {most} MiB"
        return SeveralPods(reason="InputTooLarge", message=text)
    asked = asked_tasks(spec, shards)
    if asked:
        text = f"{' and '.join(asked)}, and the tasks of one pod run one after another"
        return SeveralPods(reason="SeveralTasksAsked", message=text)
    templates = [kind for kind in ("map", "reduce") if (spec.get(kind) or {}).get("podTemplate")]
    if templates:
        text = f"spec.{templates[0]}.podTemplate is set, and one pod has one template"
        return SeveralPods(reason="OwnTemplate", message=text)
    if spec.get("speculation") == "Always":
        return SeveralPods(reason="SpeculationAlways", message="spec.speculation: Always wants each task in two pods")
    return None


def asked_tasks(spec: Mapping[str, Any], shards: int) -> list[str]:
    """Return which fields ask for several tasks of a type."""
    maps, partitions = spec.get("map") or {}, (spec.get("reduce") or {}).get("partitions")
    field = next((name for name in ("shards", "shardSize") if maps.get(name) is not None), None)
    asked = []
    if field is not None and shards > 1:
        asked.append(f"spec.map.{field} asks for {render_count(shards, 'map task')}")
    if partitions is not None and partitions > 1:
        asked.append(f"spec.reduce.partitions asks for {render_count(partitions, 'reduce task')}")
    return asked


def whole_job(observed: Observed, plan: PlanSummary, ready: Sequence[TaskRef]) -> tuple[TaskRef, ...]:
    """Return all tasks of the job if one pod takes them, or an empty tuple.

    If the packing chooses the number of partitions, there will be one.
    """
    has_begun = bool(observed.commits or observed.failures) or len(ready) < plan.shards
    if has_begun or not (plan.is_small and observed.limits.packs) or observed.job.spec.speculation == "Always":
        return ()
    partitions = 1 if plan.partitions is None else plan.partitions
    reduces = (TaskRef(type=TaskType.REDUCE, index=index) for index in range(partitions))
    tasks = (*ready, *reduces)
    return tasks if 1 < len(tasks) <= MOST_TASKS else ()


def is_awaited(observed: Observed) -> bool:
    """Tell whether a pod waits for the shuffle manifest, or will after its maps."""
    return observed.shuffle is None and any(map(awaits_shuffle, observed.active_pods))


def awaits_shuffle(pod: PodView) -> bool:
    """Tell whether the pod takes both maps and reduces."""
    first, last = pod.all_tasks[0], pod.all_tasks[-1]
    return first.type is TaskType.MAP and last.type is TaskType.REDUCE


def looks_at(observed: Observed, creates: Sequence[CreatePod], now: float) -> list[float]:
    """Return when to look for commits of the pods that wait for the manifest, including pods created now."""
    if observed.shuffle is not None:
        return []
    pods = [pod for pod in observed.active_pods if awaits_shuffle(pod)]
    begun = [pod.created_at if pod.started_at is None else pod.started_at for pod in pods]
    begun += [now for create in creates if create.awaits_shuffle]
    return [now + min(max(LOOK_SECONDS, LOOK_SHARE * (now - at)), LONGEST_LOOK_SECONDS) for at in begun]
