"""Jobs so small that one pod runs all of them, maps and then reduces (`execution: Auto`): which, and what differs then.

A job of some megabytes is done in seconds, of which a pod's start takes two and that of a second wave two more. Rule:
pure. It is tried once: with the first failure, or when something is committed and the pod is gone, each of the tasks
that are left gets a pod as ever.

The pod is there before the shuffle manifest is. When it has done its maps its first reduce waits for the manifest, and
the operator, whom no event tells of a commit, looks for these more often: four times a second, and less often the
longer a task takes, so that waiting adds little to any job and no load to a long one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.model.actions import CreatePod
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import PodView
from podreduce_operator.policy.pod_packing import MOST_TASKS

__all__ = ["SHUFFLE_WAIT_SECONDS", "is_awaited", "is_small_job", "looks_at", "whole_job"]

SMALL_JOB_BYTES = 16 * 2**20
"""Of input: what one process maps and reduces in the time of a few pods' starts."""

SHUFFLE_WAIT_SECONDS = 120
"""How long a reduce waits for the manifest: an operator that restarts is back by then."""

LOOK_SECONDS = 0.25
LOOK_SHARE = 0.05
LONGEST_LOOK_SECONDS = 15.0
"""How often the operator looks for a commit that it waits for: after that part of the task's time so far, in bounds."""


def is_small_job(spec: Mapping[str, Any], size_bytes: int) -> bool:
    """Tell whether a job with this (pinned) spec and so much input may run in one pod, which suits maps and reduces."""
    templates = ((spec.get(kind) or {}).get("podTemplate") for kind in ("map", "reduce"))
    return spec.get("execution") == "Auto" and size_bytes <= SMALL_JOB_BYTES and not any(templates)


def whole_job(observed: Observed, plan: PlanSummary, ready: Sequence[TaskRef]) -> tuple[TaskRef, ...]:
    """Return all tasks of the job, if one pod is to take them; else none.

    Where the packing chooses the number of partitions there will be one.
    """
    has_begun = bool(observed.commits or observed.failures) or len(ready) < plan.shards
    if has_begun or not (plan.is_small and observed.limits.packs) or observed.job.spec.speculation == "Always":
        return ()
    partitions = 1 if plan.partitions is None else plan.partitions
    reduces = (TaskRef(type=TaskType.REDUCE, index=index) for index in range(partitions))
    tasks = (*ready, *reduces)
    return tasks if 1 < len(tasks) <= MOST_TASKS else ()


def is_awaited(observed: Observed) -> bool:
    """Tell whether a pod waits for the shuffle manifest, or will when it has done its maps."""
    return observed.shuffle is None and any(map(awaits_shuffle, observed.active_pods))


def awaits_shuffle(pod: PodView) -> bool:
    """Tell whether the pod takes both maps and reduces, and is not past the last of these."""
    first, last = pod.all_tasks[0], pod.all_tasks[-1]
    return first.type is TaskType.MAP and last.type is TaskType.REDUCE


def looks_at(observed: Observed, creates: Sequence[CreatePod], now: float) -> list[float]:
    """Return when to look for the commits of the pods for which the manifest is to be frozen, new ones among them."""
    if observed.shuffle is not None:
        return []
    pods = [pod for pod in observed.active_pods if awaits_shuffle(pod)]
    begun = [pod.created_at if pod.started_at is None else pod.started_at for pod in pods]
    begun += [now for create in creates if create.awaits_shuffle]
    return [now + min(max(LOOK_SECONDS, LOOK_SHARE * (now - at)), LONGEST_LOOK_SECONDS) for at in begun]
