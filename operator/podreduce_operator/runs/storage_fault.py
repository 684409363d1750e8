"""Observing: what a job's pods, records and output look like now, as one frozen value.

Rule: reads only. Pods come first and the store after them: an attempt commits before it exits, so a pod seen as
succeeded has its commit in the listing that follows.
"""

from podreduce.contract.errors import InputError, PodreduceError, StorageDeniedError
from podreduce_operator.model.observed import Fault

__all__ = ["storage_fault"]


def storage_fault(error: PodreduceError) -> Fault:
    """Say what a storage error means to the job: refusals and names that cannot be are final, all else may pass."""
    return Fault(reason=error.reason, message=str(error), permanent=isinstance(error, StorageDeniedError | InputError))
