"""The commit: first writes the intent, after which the run can only go forward, and then publishes what it names.

Rule: may be repeated at any point. Only one intent can be created, and only by the run that holds the output.
"""

from podreduce.contract.layout import COMMIT_INTENT_KEY
from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitRecord, TaskRef, TaskType
from podreduce.contract.wire import encode
from podreduce_operator.policy.failure_recording import build_lost_part_record
from podreduce_operator.runs.output_claim import confirm_claim
from podreduce_operator.runs.publishing import build_intent, build_manifest, find_lost, publish, remove_staged
from podreduce_operator.runs.run import Run
from podreduce_operator.runs.run_totals import add_up

__all__ = ["commit_output"]


async def commit_output(run: Run) -> None:
    """Write the commit intent. If there is one already, by any operator, publish the parts that it names.

    Raises:
        ActionError: another run has taken the output.
        PodreduceError: the store refuses something.
    """
    records = run.records
    if records.plan is None:
        return
    if records.intent is None:
        await find_all_maps(run, records.plan)
        last = TaskType.MAP if records.manifest is None else TaskType.REDUCE
        commits = [commit for task, commit in records.commits.items() if task.type is last]
        lost = await find_lost(run.output, commits)
        for commit in lost:
            await record_lost_part(run, commit)
        if not lost:
            await confirm_claim(run.output, run.claim)
            totals = add_up(records.commits.values(), records.sums.counters.sums)
            intent = build_intent(records.plan, commits, totals)
            await run.work.create_async(COMMIT_INTENT_KEY, encode(intent))
        return
    manifest = build_manifest(records.plan, records.plan_digest, records.intent)
    await publish(run.output, records.intent, manifest)
    await remove_staged(run.output, run.identity)


async def find_all_maps(run: Run, plan: Plan) -> None:
    """List all records once more if the commit of a map is not known: the totals must count each task."""
    maps = (TaskRef(type=TaskType.MAP, index=index) for index in range(plan.shards))
    if not all(task in run.records.commits for task in maps):
        await run.records.relist()


async def record_lost_part(run: Run, commit: CommitRecord) -> None:
    """Record that a committed part is gone, so that its task runs again. The record does not count.

    The attempt may already have a failure record, if its pod was given up but still committed.
    """
    await run.records.create_failure(build_lost_part_record(commit), suffix="-lost")
