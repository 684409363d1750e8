"""Which tasks may run now, and which step ends the wave: freezing the shuffle after the maps, or the commit.

Rule: pure. A step is due because its evidence is missing, never because of what happened before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.model.actions import Action, CommitOutput, FreezeShuffle
from podreduce_operator.model.decisions import Phase
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.policy.single_pod_jobs import is_awaited

__all__ = ["Wave", "current_generations", "find_wave", "is_committed", "parallelism"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """The tasks that may run now. `step` is the action that ends the wave; None while tasks are left."""

    phase: Phase
    tasks: Sequence[TaskRef]
    step: Action | None
    map_total: int
    reduce_total: int | None
    shuffle_generation: int | None = None


def find_wave(observed: Observed, plan: PlanSummary, generations: Mapping[TaskRef, int]) -> Wave:
    """Return the current wave: maps until all are committed and frozen, then reduces, then only the commit."""
    maps = [TaskRef(type=TaskType.MAP, index=index) for index in range(plan.shards)]
    pending = [task for task in maps if not is_committed(observed, task, generations)]
    shuffle = observed.shuffle
    reduce_total = plan.partitions if shuffle is None else shuffle.partitions
    if pending:
        phase = Phase.MAPPING
        return Wave(phase=phase, tasks=pending, step=None, map_total=plan.shards, reduce_total=reduce_total)
    if observed.commits[maps[0]].part is not None:
        phase = Phase.COMMITTING
        return Wave(phase=phase, tasks=(), step=CommitOutput(), map_total=plan.shards, reduce_total=0)
    wanted = tuple(generations.get(task, 0) for task in maps)
    if shuffle is None or shuffle.map_generations != wanted:
        generation = 0 if shuffle is None else shuffle.generation + 1
        step = FreezeShuffle(generation=generation, parallelism=1 if is_awaited(observed) else parallelism(observed))
        return Wave(phase=Phase.MAPPING, tasks=(), step=step, map_total=plan.shards, reduce_total=reduce_total)
    reduces = [TaskRef(type=TaskType.REDUCE, index=index) for index in range(shuffle.partitions)]
    left = [task for task in reduces if not is_committed(observed, task, generations)]
    return Wave(
        phase=Phase.REDUCING if left else Phase.COMMITTING,
        tasks=left,
        step=None if left else CommitOutput(),
        map_total=plan.shards,
        reduce_total=shuffle.partitions,
        shuffle_generation=shuffle.generation,
    )


def current_generations(observed: Observed) -> dict[TaskRef, int]:
    """Return the current generation of each task with lost output: one more than the highest lost generation."""
    generations: dict[TaskRef, int] = {}
    for failures in observed.failures.values():
        for failure in failures:
            if failure.lost is not None:
                task = failure.lost.task
                generations[task] = max(generations.get(task, 0), failure.lost.generation + 1)
    return generations


def is_committed(observed: Observed, task: TaskRef, generations: Mapping[TaskRef, int]) -> bool:
    """Tell whether the task's current generation is committed."""
    commit = observed.commits.get(task)
    return commit is not None and commit.generation >= generations.get(task, 0)


def parallelism(observed: Observed) -> int:
    """Return how many pods of the run may be active: the spec's number, up to the operator's limit."""
    wanted = observed.job.spec.parallelism
    return observed.limits.parallelism if wanted is None else min(wanted, observed.limits.parallelism)
