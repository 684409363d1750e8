import pytest

from podreduce_operator.cluster.kubernetes.api import ApiError
from podreduce_operator.cluster.kubernetes.refusals import classify_refusal
from podreduce_operator.model.jobs import JobKey

QUOTA = 'pods "x" is forbidden: exceeded quota: tasks, requested: pods=1, used: pods=4, limited: pods=4'
NO_LIMITS = 'pods "x" is forbidden: failed quota: tasks: must specify limits.cpu for: task'
SECURITY = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged (container "task" …)'
LIMIT_RANGE = 'pods "x" is forbidden: maximum memory usage per Container is 256Mi, but limit is 512Mi'
RATIO = 'pods "x" is forbidden: memory max limit to request ratio per Container is 1, but provided ratio is 2'
RIGHTS = 'pods is forbidden: User "system:serviceaccount:a:b" cannot create resource "pods" in API group ""'
TERMINATING = 'pods "x" is forbidden: unable to create new content in namespace a because it is being terminated'
ACCOUNT = 'pods "x" is forbidden: error looking up service account a/b: serviceaccount "b" not found'
PRIORITY = 'pods "x" is forbidden: no PriorityClass with name high was found'
RUNTIME = 'pods "x" is forbidden: pod rejected: RuntimeClass "gvisor" not found'
WEBHOOK = 'admission webhook "policy.example" denied the request: no'

REFUSALS: dict[str, tuple[int, str, str, bool]] = {
    "quota": (403, QUOTA, "QuotaExceeded", False),
    "quota wants limits": (403, NO_LIMITS, "QuotaNeedsResources", False),
    "no such priority class": (403, PRIORITY, "PriorityClassNotFound", True),
    "no such runtime class": (403, RUNTIME, "RuntimeClassNotFound", True),
    "pod security": (403, SECURITY, "PodRejected", True),
    "limit range": (403, LIMIT_RANGE, "LimitRangeExceeded", False),
    "limit range ratio": (403, RATIO, "LimitRangeExceeded", False),
    "missing rights": (403, RIGHTS, "Forbidden", False),
    "namespace ending": (403, TERMINATING, "NamespaceTerminating", False),
    "no such service account": (403, ACCOUNT, "ServiceAccountNotFound", True),
    "a policy's webhook": (403, WEBHOOK, "PodRejected", True),
    "unknown field": (400, 'strict decoding error: unknown field "spec.colour"', "PodRejected", True),
    "invalid": (422, "spec.containers[0].image: Required value", "PodRejected", True),
    "webhook out of reach": (500, "failed calling webhook", "ApiServerUnavailable", False),
    "conflicting quota update": (409, "the object has been modified", "ApiServerUnavailable", False),
    "overloaded": (429, "too many requests", "ApiServerUnavailable", False),
    "unreachable": (0, "no route to host", "ApiServerUnavailable", False),
}


@pytest.mark.parametrize(("status", "message", "reason", "permanent"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_is_told_in_the_clusters_words(status: int, message: str, reason: str, permanent: bool) -> None:
    told = classify_refusal(ApiError(status, "", message), JobKey(namespace="a", name="b"))
    assert (told.reason, told.permanent) == (reason, permanent)
    assert message in str(told)
    assert "a/b" in str(told)
