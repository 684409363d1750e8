"""When the MapReduceJob itself is deleted: some time after its run's end, if its spec says so.

Rule: pure. What the run stored is removed when the deletion is seen. So the job is not deleted while its store cannot
be reached, because then nobody would know what is left there.
"""

from dataclasses import replace

from podreduce_operator.model.actions import DeleteJob
from podreduce_operator.model.decisions import Decision
from podreduce_operator.model.observed import Observed

__all__ = ["delete_job"]


def delete_job(decision: Decision, observed: Observed, now: float) -> Decision:
    """Add the deletion of an ended run's job if it is due, or look again when it will be."""
    seconds = observed.job.spec.delete_after_finished_seconds
    if seconds is None:
        return decision
    due_at = (observed.run.completed_at or now) + seconds
    if now < due_at:
        waits = [due_at - now, *(() if decision.wake_after is None else (decision.wake_after,))]
        return replace(decision, wake_after=min(waits))
    is_lost = bool(observed.faults) or (observed.is_blind and not observed.is_at_rest)
    if is_lost or observed.has_intermediates:
        return decision
    return replace(decision, actions=(*decision.actions, DeleteJob()))
