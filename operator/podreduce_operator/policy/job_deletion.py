"""When the MapReduceJob itself is deleted: some time after its run's end, if its spec says so.

Rule: pure. The job is deleted last, when nothing of its run is left but the output: nobody would know afterwards what
is left in a bucket of the job's own. So it is not deleted while its store cannot be reached.
"""

from dataclasses import replace

from podreduce_operator.model.actions import DeleteJob
from podreduce_operator.model.decisions import Decision
from podreduce_operator.model.observed import Observed
from podreduce_operator.policy.run_cleanup import job_expires_at

__all__ = ["delete_job"]


def delete_job(decision: Decision, observed: Observed, now: float) -> Decision:
    """Add the deletion of an ended run's job if it is due, or look again when it will be."""
    due_at = job_expires_at(observed.job, observed.run, now)
    if due_at is None:
        return decision
    if now < due_at:
        waits = [due_at - now, *(() if decision.wake_after is None else (decision.wake_after,))]
        return replace(decision, wake_after=min(waits))
    return replace(decision, actions=(*decision.actions, DeleteJob())) if has_nothing_left(observed) else decision


def has_nothing_left(observed: Observed) -> bool:
    """Tell whether nothing of an ended run is left, or will be: only its output and pods that have ended."""
    if observed.faults or any(not pod.is_finished for pod in observed.pods):
        return False
    if observed.is_store_unreadable:
        return observed.run.is_cleaned_up
    return not observed.has_records and not observed.has_intermediates
