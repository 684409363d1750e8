"""Runs a whole job in this process, over a memory store: planned, mapped, shuffled, reduced, published and read back.

The planner, the tasks, the manifest and the commit are the real ones; only what schedules and starts tasks is missing.
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from podreduce.contract.environment import StorageSettings, TaskEnvironment
from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import PLAN_KEY, shuffle_key
from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitRecord, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.wire import decode, digest_bytes
from podreduce.storage import open_store
from podreduce.storage.connect import MEMORY_STORES
from podreduce.task.attempt import open_attempt
from podreduce.task.map_task import run_map_task
from podreduce.task.reduce_task import run_reduce_task
from podreduce_operator.planning.plan_run import plan_run
from podreduce_operator.runs.freeze_shuffle import freeze_shuffle
from podreduce_operator.runs.publishing import build_intent, build_manifest, publish
from podreduce_operator.runs.run import Run, RunCache
from podreduce_operator.runs.run_totals import add_up
from tests.metamorphic.job import Job
from tests.metamorphic.layout import Layout, limited
from tests.metamorphic.outcome import Outcome, read_part
from tests.support.builders.jobs import make_job
from tests.support.quiet_cluster import QuietCluster

__all__ = ["JobRun", "StartTask", "run_job"]

StartTask: TypeAlias = Callable[[TaskEnvironment], CommitRecord]
"""Runs a task to its end and returns its commit. Raises PodreduceError: it has failed."""

NUMBERS = itertools.count()
PARALLELISM = 4
SETTINGS = StorageSettings()


def start_here(environment: TaskEnvironment) -> CommitRecord:
    """Run a task in this process."""
    attempt = open_attempt(environment, SETTINGS)
    commit = run_map_task(attempt) if environment.task.type is TaskType.MAP else run_reduce_task(attempt)
    assert commit is not None  # else it would have waited for a manifest that has no such partition
    return commit


def run_job(job: Job, layout: Layout) -> Outcome:
    """Run a job in a layout and say what it gave."""
    place = f"metamorphic-{next(NUMBERS)}"
    try:
        with limited(layout):
            return JobRun(job=job, layout=layout, root=f"memory://{place}/").finish()
    except PodreduceError as error:
        return Outcome(error=type(error).__name__, message=str(error))
    finally:
        MEMORY_STORES.pop(place, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One run of a job; everything lies below `root`, and its tasks run by `start`."""

    job: Job
    layout: Layout
    root: str
    start: StartTask = start_here

    def finish(self) -> Outcome:
        """Run it from the input's upload to the output."""
        source = open_store(f"{self.root}in/")
        for name, data in self.job.input.objects.items():
            source.put(name, data)
        run, plan = asyncio.run(self.plan())
        maps = self.map(run, plan)
        outputs = maps if maps[0].part else self.reduce(run)
        asyncio.run(self.publish(run, plan, outputs))
        return self.read(maps)

    async def plan(self) -> tuple[Run, Plan]:
        """Make the plan."""
        cluster = QuietCluster(work_uri=f"{self.root}work/")
        layout = self.layout
        spec = self.job.spec(self.root, shards=layout.shards, partitions=layout.partitions, inputs=layout.inputs)
        view = make_job(spec=spec)
        run = RunCache().open(view, view.spec.run_id, await cluster.read_storage(view))
        await plan_run(run, cluster)
        return run, decode(run.work.get(PLAN_KEY), Plan)

    def environment(self, run: Run, task: TaskRef) -> TaskEnvironment:
        """Return what tells a task what it is."""
        return TaskEnvironment(
            run_uri=run.work.uri,
            plan_digest=digest_bytes(run.work.get(PLAN_KEY)),
            task=task,
            generation=0,
            shuffle_generation=0 if task.type is TaskType.REDUCE else None,
            pod_uid=f"pod-{task}",
            pod_name=f"job-{task}",
            memory_bytes=1 << 40,
        )

    def map(self, run: Run, plan: Plan) -> list[CommitRecord]:
        """Run the maps; return their commits in order."""
        tasks = [TaskRef(type=TaskType.MAP, index=index) for index in range(plan.shards)]
        order = reversed(tasks) if self.layout.backwards else tasks
        commits = {task: self.start(self.environment(run, task)) for task in order}
        return [commits[task] for task in tasks]

    async def freeze(self, run: Run) -> ShuffleManifest:
        """Freeze the manifest of the maps' commits."""
        await run.records.relist()
        await freeze_shuffle(run, PARALLELISM)
        return decode(run.work.get(shuffle_key(0)), ShuffleManifest)

    def reduce(self, run: Run) -> list[CommitRecord]:
        """Freeze the manifest and run the reduces."""
        manifest = asyncio.run(self.freeze(run))
        tasks = [TaskRef(type=TaskType.REDUCE, index=index) for index in range(len(manifest.partitions))]
        return [self.start(self.environment(run, task)) for task in tasks]

    async def publish(self, run: Run, plan: Plan, outputs: list[CommitRecord]) -> None:
        """Publish the output."""
        intent = build_intent(plan, outputs, add_up(outputs, {}))
        await publish(run.output, intent, build_manifest(plan, "", intent))

    def read(self, maps: Sequence[CommitRecord]) -> Outcome:
        """Read the output."""
        output = open_store(f"{self.root}out/")
        keys = sorted(found.key for found in output.list("") if found.key.startswith("part-"))
        return Outcome(
            parts=tuple(tuple(read_part(output.get(key), self.job.output)) for key in keys),
            records_read=sum(commit.records_in for commit in maps),
            bad_records=sum(commit.quarantine.records for commit in maps if commit.quarantine),
        )
