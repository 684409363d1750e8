"""What is done to a job from outside while it runs: by its author, by a deposed operator, to its store.

Rule: every act is planned when the world is drawn, and happens at its time; what finds nothing to do is not counted.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from podreduce.contract.task import TaskType
from tests.simulation.chaos import USER_FAULTS, Chaos, FaultKind
from tests.simulation.pods import SimPod

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["LAST_ACT_SECONDS", "User", "plan_acts"]

K = FaultKind
LAST_ACT_SECONDS = 90
EARLY_SECONDS = 6


@dataclass(slots=True)
class User:
    """Whoever acts on the job. `plans` are (time, what), the next one last."""

    plans: list[tuple[float, FaultKind | None]] = field(default_factory=list)

    @property
    def has_plans(self) -> bool:
        return bool(self.plans)

    def next_at(self, default: float) -> float:
        """Return when the next act is due."""
        return self.plans[-1][0] if self.plans else default

    def act(self, world: "World") -> bool:
        """Do what is due; tell whether the job's watchers hear of it."""
        acted = False
        while self.plans and self.plans[-1][0] <= world.now:
            _, kind = self.plans.pop()
            if kind is None:
                world.change_spec(suspend=False)
                acted = True
            elif ACTS[kind](world):
                world.chaos.spend(kind)
                world.note(f"-- {kind}")
                acted = True
        return acted


def plan_acts(rng: random.Random, start: float) -> list[tuple[float, FaultKind | None]]:
    """Draw what will be done; a suspension is followed by its end (None)."""
    plans: list[tuple[float, FaultKind | None]] = []
    kinds, weights = list(USER_FAULTS), list(USER_FAULTS.values())
    for kind in rng.choices(kinds, weights, k=rng.choice([0, 1, 1, 2, 3, 5])):
        at = start + rng.uniform(0, LAST_ACT_SECONDS if rng.random() < 0.8 else EARLY_SECONDS)
        plans.append((at, kind))
        if kind is K.SUSPENDED:
            plans.append((at + rng.randint(1, 40), None))
    if any(kind is None for _, kind in plans):
        plans.append((start + LAST_ACT_SECONDS + 45, None))
    return sorted(plans, key=lambda plan: plan[0], reverse=True)


def suspend(world: "World") -> bool:
    world.change_spec(suspend=True)
    return True


def change_run(world: "World") -> bool:
    world.change_spec(runId=str(int(world.raw_spec["runId"]) + 1))
    return True


def change_parallelism(world: "World") -> bool:
    world.change_spec(parallelism=world.rng.randint(1, 30))
    return True


def change_backoff(world: "World") -> bool:
    backoff = {**world.raw_spec["backoff"], "initialSeconds": world.rng.randint(0, 8), "maxSeconds": 30}
    world.change_spec(backoff=backoff, backoffLimitPerTask=world.rng.randint(0, 5))
    return True


def set_deadline(world: "World") -> bool:
    world.change_spec(activeDeadlineSeconds=world.rng.randint(20, 400))
    return True


def edit_spec(world: "World") -> bool:
    """Edit pinned fields; an author who has every change run may go back to what was before."""
    partitions, version = world.rng.randint(1, 9), world.generation
    if world.raw_spec["runPolicy"] == "OnChange":
        partitions, version = 1 + partitions % 2, 0
    world.change_spec(reduce={"partitions": partitions}, image=f"image:{version}")
    return True


def lose_blob(world: "World") -> bool:
    """The store loses a committed map output of the run that counts."""
    run = world.store.run(world.status.get("runId", ""))
    committed = sorted(
        commit.attempt_id
        for commit in run.commits.values()
        if commit.task.type is TaskType.MAP and commit.attempt_id in run.blobs
    )
    if not committed:
        return False
    run.blobs.discard(world.rng.choice(committed))
    return True


def lose_upload(world: "World") -> bool:
    """The store drops a committed part that waits to be published."""
    run_id = world.status.get("runId", "")
    run, output = world.store.run(run_id), world.store.output
    staged = output.staged.get(run_id, set())
    waiting = sorted(
        (commit.task, commit.attempt_id)
        for commit in run.commits.values()
        if (commit.task, commit.attempt_id) in staged and output.parts.get(commit.task) != (run_id, commit.attempt_id)
    )
    if not waiting:
        return False
    staged.discard(world.rng.choice(waiting))
    if run.intent is not None:
        world.judge.bereft.add(run_id)
    return True


def set_clock(world: "World") -> bool:
    """The clock of the operator's machine is wrong from now on."""
    world.clock_offset = world.rng.choice([-3600.0, -90.0, 90.0, 3600.0])
    world.judge.is_clock_right, world.judge.clock_offset = False, world.clock_offset
    return True


def start_twin(world: "World") -> bool:
    """An operator that does not know yet that it was deposed starts one more attempt of a task that has one."""
    active = [pod for pod in world.cluster.pods.values() if pod.is_active and pod.name + "0" not in world.cluster.pods]
    if not active:
        return False
    model = world.rng.choice(active)
    world.actor.created += 1
    world.cluster.create(
        SimPod(
            name=model.name + "0",
            uid=f"u{world.actor.created}",
            run_id=model.run_id,
            run_hash=model.run_hash,
            tasks=model.tasks_ahead,
            ordinal=model.ordinal + 1,
            generation=model.generation,
            shuffle_generation=model.shuffle_generation,
            created_at=world.now,
            skew=0.0,
            fault=world.chaos.draw_pod_fault(),
        )
    )
    return True


ACTS: dict[FaultKind, Callable[["World"], bool]] = {
    K.SUSPENDED: suspend,
    K.RUN_CHANGED: change_run,
    K.PARALLELISM_CHANGED: change_parallelism,
    K.BACKOFF_CHANGED: change_backoff,
    K.DEADLINE_SET: set_deadline,
    K.SPEC_EDITED: edit_spec,
    K.BLOB_LOST: lose_blob,
    K.UPLOAD_LOST: lose_upload,
    K.CLOCK_SET: set_clock,
    K.TWIN: start_twin,
}
assert set(ACTS) == set(USER_FAULTS), Chaos
