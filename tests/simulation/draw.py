"""Draws worlds from seeds, and runs them.

Rule: everything about a world follows from its seed, so that a world that failed can be looked at again.
"""

import random
from typing import Any

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.model.limits import Limits, PendingDeadlines
from podreduce_operator.model.observed import PlanSummary
from podreduce_operator.pods.task_sequences import History
from podreduce_operator.policy.decide import decide
from podreduce_operator.policy.run_choice import choose_run_id
from tests.simulation.chaos import Chaos, FaultKind
from tests.simulation.judge import Judge, ViolationError
from tests.simulation.object_store import ObjectStore
from tests.simulation.pods import Cluster
from tests.simulation.user import LAST_ACT_SECONDS, User, plan_acts
from tests.simulation.world import EPOCH, SHORT_TTL_SECONDS, Decide, Outage, Result, World
from tests.support.builders.jobs import make_raw_output, make_raw_spec
from tests.support.builders.tasks import map_task

__all__ = ["draw_world", "run_world"]


def run_world(seed: int, policy: Decide = decide, *, faultless: bool = False) -> Result:
    """Run the world of that seed under a policy and say how it went."""
    world = draw_world(seed, policy, faultless=faultless)
    violation, invariant = "", ""
    try:
        world.run()
    except ViolationError as error:
        violation, invariant = str(error), error.invariant
    verdict = next(iter(reversed(world.judge.verdicts.values())), ("", ""))
    return Result(
        seed=seed,
        violation=violation,
        invariant=invariant,
        verdict="/".join(verdict),
        tasks=world.actor.plan.shards + (len(world.judge.tasks) if world.actor.plan.partitions != 0 else 0),
        passes=world.passes,
        faults=world.chaos.total,
        counts=dict(world.chaos.counts),
        log=tuple(world.render_log()) if violation else (),
    )


def draw_world(seed: int, policy: Decide, *, faultless: bool = False) -> World:
    """Draw the world of that seed: its job, and what will go wrong."""
    rng = random.Random(seed)  # noqa: S311 - worlds must be repeatable
    chaos = draw_chaos(rng, faultless=faultless)
    raw_spec, queue = draw_spec(rng), draw_queue(seed)
    raw_spec["admission"] = "PerPod" if queue is None else queue.choice(["PerPod", "Gang", "Gang"])
    chaos.hangs = reports = rng.random() < 0.8  # nobody finds out about a hung attempt that does not report
    plan, partitions = draw_plan(rng, raw_spec)
    if faultless:
        raw_spec |= {"activeDeadlineSeconds": None}
    cluster = draw_cluster(seed, chaos, queue, map_only=partitions == 0)
    cluster.poison = None if faultless or rng.random() < 0.9 else map_task(rng.randrange(plan.shards))
    store = cluster.store
    last, count = (TaskType.MAP, plan.shards) if partitions == 0 else (TaskType.REDUCE, partitions)
    judge = Judge(store=store, cluster=cluster, tasks=[TaskRef(type=last, index=index) for index in range(count)])
    user = User([] if faultless else plan_acts(rng, EPOCH))
    if not faultless and raw_spec["output"]["ifExists"] == "Replace":
        draw_changes(seed, raw_spec, user)
    return World.build(
        seed=seed,
        rng=rng,
        chaos=chaos,
        store=store,
        cluster=cluster,
        judge=judge,
        user=user,
        decide=policy,
        history=getattr(policy, "history", History),
        choose=getattr(policy, "choose", choose_run_id),
        raw_spec=raw_spec,
        limits=draw_limits(rng),
        reports=reports,
        outage=None if faultless else draw_outage(seed),
        listing_interval_seconds=draw_listing_interval(seed),
        plan=plan,
        chosen_partitions=partitions,
    )


def draw_chaos(rng: random.Random, *, faultless: bool) -> Chaos:
    """Draw how many things go wrong, and how often."""
    return Chaos(
        rng=rng,
        budget=0 if faultless else rng.randint(5, 50),
        pod_rate=rng.choice([0.1, 0.2, 0.4, 0.7]),
        pass_rate=rng.choice([0.02, 0.05, 0.1, 0.25]),
        is_on=not faultless,
    )


def draw_cluster(seed: int, chaos: Chaos, queue: random.Random | None, *, map_only: bool) -> Cluster:
    """Draw the nodes, and whether the queue takes admitted pods back."""
    return Cluster(
        rng=chaos.rng,
        chaos=chaos,
        store=ObjectStore(),
        now=EPOCH,
        map_only=map_only,
        has_small_nodes=random.Random(f"node sizes {seed}").random() < 0.3,  # noqa: S311 - worlds must be repeatable
        queue=queue,
        preemptor=None if queue is None or not chaos.is_on else random.Random(f"preemptor {seed}"),  # noqa: S311
    )


def draw_changes(seed: int, raw_spec: dict[str, Any], user: User) -> None:
    """Draw whether the job runs on every change, and what its author then changes: by a generator of its own."""
    rng = random.Random(f"changes {seed}")  # noqa: S311 - worlds must be repeatable
    if rng.random() < 0.7:
        return
    raw_spec["runPolicy"] = "OnChange"
    for _ in range(rng.randint(1, 4)):
        user.plans.append((EPOCH + rng.uniform(0, LAST_ACT_SECONDS), FaultKind.SPEC_EDITED))
    user.plans.sort(key=lambda plan: plan[0], reverse=True)


def draw_listing_interval(seed: int) -> float:
    """Draw how long listings are apart, by a generator of its own: zero is with every pass."""
    return random.Random(f"listing {seed}").choice([0.0, 0.0, 3.0, 20.0])  # noqa: S311 - worlds must be repeatable


def draw_outage(seed: int) -> Outage | None:
    """Draw whether the operator cannot reach the store for minutes, by a generator of its own."""
    rng = random.Random(f"outage {seed}")  # noqa: S311 - worlds must be repeatable
    if rng.random() < 0.8:
        return None
    return Outage(
        begins_at=rng.choice([None, EPOCH + rng.uniform(0.0, 150.0)]),
        seconds=rng.uniform(60.0, 600.0),
        patience_seconds=rng.choice([None, rng.uniform(1.0, 60.0)]),
    )


def draw_queue(seed: int) -> random.Random | None:
    """Draw whether pods wait to be admitted: by a generator of its own, which then draws for how long."""
    queue = random.Random(f"queue {seed}")  # noqa: S311 - worlds must be repeatable
    return queue if queue.random() < 0.2 else None


def draw_limits(rng: random.Random) -> Limits:
    """Draw what the installation allows."""
    pending = PendingDeadlines(image_seconds=30.0, unschedulable_seconds=rng.choice([None, None, None, 80.0]))
    parallelism = rng.choice([1000, 1000, 1000, 4])
    told = rng.choice([frozenset({"Complete", "Failed"})] * 4 + [frozenset({"Failed"})])
    return Limits(parallelism=parallelism, pending=pending, post_mortem_of=told)


def draw_spec(rng: random.Random) -> dict[str, Any]:
    """Draw the job's spec."""
    return make_raw_spec(
        output=make_raw_output(ifExists=rng.choice(["Fail", "Replace"])),
        parallelism=rng.choice([None, 1, 2, 3, 5, 8, 12, 20, 30]),
        tasksPerPod=rng.choice([1, 1, 2, 3, 5, "Auto"]),
        execution=rng.choice(["PerTask", "PerTask", "PerTask", "Auto"]),
        backoffLimitPerTask=rng.choice([0, 1, 2, 3, 4, 4]),
        backoff={
            "initialSeconds": rng.choice([0, 1, 5]),
            "factor": rng.choice([1, 2, 3]),
            "maxSeconds": rng.choice([5, 20, 60]),
            "outOfMemoryFactor": 1.5,
        },
        progressDeadlineSeconds=rng.choice([30, 1800]),
        speculation=rng.choice(["Auto", "Auto", "Never", "Always"]),
        activeDeadlineSeconds=rng.choice([None] * 8 + [40, 150]),
        ttlSecondsAfterFinished=rng.choice([SHORT_TTL_SECONDS, 86400, 86400]),
    )


def draw_plan(rng: random.Random, raw_spec: dict[str, Any]) -> tuple[PlanSummary, int]:
    """Draw what planning finds, and how many partitions there turn out to be; 0 is map-only.

    They are the plan's, the packing's or the program's own; a map-only job may be planned as such or turn out to be.
    """
    shards, partitions = rng.randint(14, 24), rng.randint(6, 10)
    planned: int | None = rng.choice([partitions, partitions, None])
    if rng.random() < 0.12:
        shards, partitions = rng.randint(20, 30), 0
        planned = rng.choice([0, None])
    plan = PlanSummary(
        digest="digest",
        objects=3,
        bytes=1000,
        shards=shards,
        imbalance_bytes=0.0,
        partitions=planned,
        tasks_per_pod=raw_spec["tasksPerPod"],
        is_small=raw_spec["execution"] == "Auto",
    )
    return plan, partitions
