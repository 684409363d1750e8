"""The records and outputs that the pipelines of a schedule have in common: which of them may use the place now.

Rule: a run claims the place before it reads a record, and keeps the claim until the next run takes it. That one waits
until this run has ended, and until none of its jobs may still write. Only the holder removes anything.
"""

from functools import partial

from podreduce.contract.plan import JobIdentity
from podreduce_operator.cluster.interface import PipelineCluster
from podreduce_operator.model.errors import ActionError
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun
from podreduce_operator.pipeline_runs.places import DATA_PREFIX, record_key, shares_steps
from podreduce_operator.runs.output_claim import Claim, changing_claim, holds_claim, take_over

__all__ = ["claim_steps", "holds_steps", "remove_steps_output"]


async def claim_steps(run: PipelineRun, cluster: PipelineCluster) -> None:
    """Claim the place for a run, and remove what steps have left there that the pipeline has no more.

    Raises:
        ActionError: another pipeline of the schedule still uses it.
        PodreduceError: the store refuses something.
    """
    if not shares_steps(run.view):
        return
    await take_over(run.steps, claim_of(run), partial(may_take, run, cluster))
    run.memory.forget_steps()
    await run.read_records()
    for record in list(run.memory.records.values()):
        if run.view.spec.step(record.place.step) is None:
            await run.steps.delete_prefix_async(f"{DATA_PREFIX}{record.place}/")
            await run.steps.delete_async(record_key(record.place))
            del run.memory.records[str(record.place)]


async def may_take(run: PipelineRun, cluster: PipelineCluster, holder: Claim) -> bool:
    """Tell that the holder's claim may be replaced.

    Raises:
        ActionError: it may not, for now.
    """
    if holder.job.uid == run.view.uid or await cluster.is_over(run.view, holder.job):
        return True
    message = (
        f"{holder.job.name} of the same schedule has not ended, or a job of it may still write: this run begins then, "
        "because it may reuse what that one has made"
    )
    raise ActionError("EarlierPipelineActive", message, permanent=False)


async def holds_steps(run: PipelineRun) -> bool:
    """Tell whether no other pipeline of the schedule has claimed the place since."""
    return not shares_steps(run.view) or await holds_claim(run.steps, claim_of(run))


async def remove_steps_output(run: PipelineRun, prefix: str) -> bool:
    """Remove an output below the place. Return False if the run no longer holds the place: then nothing is removed.

    The claim cannot change meanwhile, so no other run reads what is being removed.
    """
    if not shares_steps(run.view):
        await run.steps.delete_prefix_async(prefix)
        return True
    async with changing_claim(run.steps):
        if not await holds_claim(run.steps, claim_of(run)):
            return False
        await run.steps.delete_prefix_async(prefix)
        return True


def claim_of(run: PipelineRun) -> Claim:
    """Return the claim of a run."""
    key = run.view.key
    identity = JobIdentity(namespace=key.namespace, name=key.name, uid=run.view.uid, run_id=run.run_id)
    return Claim(installation=run.storage.installation, job=identity)
