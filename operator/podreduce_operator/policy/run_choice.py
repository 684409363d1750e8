"""Which run a job is to have: the one that its status has, or a new one.

Rule: pure. `spec.runId` is the author's, and nobody else changes it. A run that follows from a change (`runPolicy:
OnChange`) has a name of its own: `spec.runId` and the generation of the job in which the change was seen, such as
`1-g4`. Generations only rise. So going back to an earlier spec is a new run, which makes the earlier output again.

The status names the new run (`successor`) before anything of the earlier one is removed, and from then on no edit takes
that back: an edit that goes back to the earlier spec would otherwise take up a run of which half is gone.

Whether something changed is known from the digests in the status: those of the plan, and that of the ConfigMap's text
as it was last read. So the status says it before anything is done about it. A run that was not planned yet has pinned
nothing and takes the change. While the text cannot be read, it counts as it was last read.
"""

from podreduce_operator.digests.pinned_digests import digest_pinned
from podreduce_operator.model.jobs import JobView
from podreduce_operator.policy.run_state import current_run_id, read_run_id, read_successor
from podreduce_operator.policy.spec_change import read_pinned

__all__ = ["choose_run_id"]


def choose_run_id(job: JobView) -> str:
    """Return the id of the run that the job is to have now."""
    successor = read_successor(job)
    if successor is not None:
        return successor
    current = current_run_id(job.status, job.spec.run_id)
    if job.spec.run_policy == "OnRunId" or current != read_run_id(job.status) or not has_changed(job):
        return current
    return f"{job.spec.run_id}-g{job.generation}"


def has_changed(job: JobView) -> bool:
    """Tell whether the spec or the program's text is another one than the run's plan has."""
    pinned = read_pinned(job.status)
    if pinned is None:
        return False
    if digest_pinned(job.raw_spec) != pinned.spec:
        return True
    text = job.status["digests"].get("programSeen")
    return job.spec.program.source_from is not None and text is not None and text != pinned.program
