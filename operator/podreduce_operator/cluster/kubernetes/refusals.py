"""What it means for a job if the API server refuses to create its pod.

Rule: pure. The job's author always sees the API's message. A refusal is permanent if the pod is invalid or a policy
forbids it. Other refusals are temporary: quota becomes free, administrators change limits and rights, servers recover.
"""

from http import HTTPStatus

from podreduce_operator.cluster.kubernetes.api import ApiError
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey

__all__ = ["CREATION_REFUSALS", "NAME_TAKEN", "RIGHTS_REMEDY", "classify_refusal", "hidden_pods", "unavailable"]

REJECTED = frozenset({400, 413, 422})

FORBIDDEN_WORDS = (
    ("exceeded quota", "QuotaExceeded", False),
    ("must specify", "QuotaNeedsResources", False),
    ("failed quota", "QuotaExceeded", False),
    ("error looking up service account", "ServiceAccountNotFound", True),
    ("no PriorityClass with name", "PriorityClassNotFound", True),
    ("pod rejected: RuntimeClass", "RuntimeClassNotFound", True),
    ("being terminated", "NamespaceTerminating", False),
    ("violates PodSecurity", "PodRejected", True),
    ("usage per", "LimitRangeExceeded", False),
    ("limit to request ratio", "LimitRangeExceeded", False),
    ("cannot create resource", "Forbidden", False),
)
"""Words in the message of a 403 (the API has no codes for these), the reason, and whether it is permanent."""

RIGHTS_REMEDY = "give the operator's service account the rights that its chart lists"
REMEDIES = {
    "QuotaExceeded": "more pods start as others end; raise the quota or lower spec.parallelism",
    "QuotaNeedsResources": "the namespace's quota asks what each pod needs: set these requests and limits in "
    "spec.podTemplate, then change spec.runId, or let a LimitRange set them",
    "ServiceAccountNotFound": "create it, or correct serviceAccountName in spec.podTemplate and change spec.runId",
    "PriorityClassNotFound": "create it, or correct priorityClassName in spec.podTemplate and change spec.runId",
    "RuntimeClassNotFound": "create it, or correct runtimeClassName in spec.podTemplate and change spec.runId",
    "LimitRangeExceeded": "set resources in spec.podTemplate within the namespace's LimitRange, then change spec.runId",
    "Forbidden": RIGHTS_REMEDY,
    "PodRejected": "correct spec.podTemplate or the namespace's policy, then change spec.runId",
}

NAME_TAKEN = "PodNameTaken"
CREATION_REFUSALS = frozenset(
    {reason for _, reason, _ in FORBIDDEN_WORDS} | {"PodRejected", "ApiServerUnavailable"}
) | {NAME_TAKEN}
"""All reasons for which a pod is not created."""


def classify_refusal(error: ApiError, job: JobKey) -> ActionError:
    """Return the error that the job's author sees for a pod that was not created."""
    reason, permanent = classify(error)
    remedy = REMEDIES.get(reason)
    message = f"pods of {job} cannot be created now" if not permanent else f"a pod of {job} was rejected"
    return ActionError(reason, f"{message}: {error}" + (f"; {remedy}" if remedy else ""), permanent=permanent)


def hidden_pods(job: JobKey, error: ApiError) -> ActionError:
    """Return the error that the job's author sees while the operator cannot list the job's pods."""
    message = f"the pods in the namespace of {job} cannot be listed now: {error}"
    if error.status == HTTPStatus.FORBIDDEN:
        return ActionError("Forbidden", f"{message}; {RIGHTS_REMEDY}", permanent=False)
    return ActionError("ApiServerUnavailable", message, permanent=False)


def classify(error: ApiError) -> tuple[str, bool]:
    """Return the reason, and whether it is permanent."""
    if error.status in REJECTED:
        return "PodRejected", True
    if error.status == HTTPStatus.FORBIDDEN:
        found = ((reason, permanent) for words, reason, permanent in FORBIDDEN_WORDS if words in str(error))
        return next(found, ("PodRejected", True))
    return "ApiServerUnavailable", False


def unavailable(what: str, error: ApiError) -> ActionError:
    """Return the error for a request that may succeed later. The API server names the right that is missing."""
    if error.status == HTTPStatus.FORBIDDEN:
        return ActionError("Forbidden", f"{what}: {error}; {RIGHTS_REMEDY}", permanent=False)
    return ActionError("ApiServerUnavailable", f"{what}: {error}", permanent=False)
