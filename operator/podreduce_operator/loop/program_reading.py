"""Reads the text of a job's ConfigMap again after an edit of the job, to compare it with what was planned.

Rule: nothing is watched or polled. A reading that fails is tried again, later and later, until it succeeds.
"""

import math
from dataclasses import dataclass

from podreduce_operator.cluster.interface import Cluster
from podreduce_operator.digests.pinned_digests import digest_text
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import SeenProgram
from podreduce_operator.policy.retry_delays import fault_retry_seconds
from podreduce_operator.policy.spec_change import is_to_be_compared

__all__ = ["ProgramReading"]


@dataclass(slots=True)
class ProgramReading:
    """What one job's loop remembers of readings that failed; a restart reads again at once.

    Attributes:
        failed: the last reading, if it failed.
        failing_since: when readings began to fail (seconds since the epoch).
        due_at: when to read again.
    """

    failed: SeenProgram | None = None
    failing_since: float | None = None
    due_at: float = 0.0

    async def compare(self, job: JobView, cluster: Cluster, now: float) -> SeenProgram | None:
        """Return the text as it is now, if it is to be compared; while reading it fails, why it did."""
        if not is_to_be_compared(job):
            self.failed, self.failing_since, self.due_at = None, None, 0.0
            return None
        if self.failed is not None and self.failed.generation == job.generation and now < self.due_at:
            return self.failed
        seen = await read_program(job, cluster)
        if seen.digest is not None:
            self.failed, self.failing_since = None, None
            return seen
        self.failed = seen
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.due_at = now + fault_retry_seconds(self.failing_since, now)
        return seen

    def seconds_left(self, now: float) -> float:
        """Return after how long to read again; infinite if no reading has failed."""
        return math.inf if self.failed is None else max(self.due_at - now, 0.0)


async def read_program(job: JobView, cluster: Cluster) -> SeenProgram:
    """Read the text in the ConfigMap that the spec names."""
    source_from = job.spec.program.source_from
    if source_from is None:
        return SeenProgram(generation=job.generation, digest=None)
    reference = source_from.config_map_key_ref
    try:
        text = await cluster.read_source(job, reference.name, reference.key)
    except ActionError as error:
        fault = error.as_fault()
        return SeenProgram(
            generation=job.generation,
            digest=None,
            reason=fault.reason,
            message=fault.message,
            permanent=fault.permanent,
        )
    return SeenProgram(generation=job.generation, digest=digest_text(text))
