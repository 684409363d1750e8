"""The metrics of what the API server and the stores answer: counted when it happens, by the cluster's telemetry.

Rule: every label has a fixed set of values, and every series exists from the start.
"""

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram

from podreduce.storage import Answer, Operation
from podreduce_operator.cluster.kubernetes.refusals import CREATION_REFUSALS
from podreduce_operator.process.label_values import OTHER, bound

__all__ = ["ClusterMetrics"]

REQUEST_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class ClusterMetrics:
    """Counters and histograms in a registry. The methods may be called in any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._creations = Histogram(
            "podreduce_pod_creation_seconds",
            "How long the API server took to create a pod, with its own requests to slow down.",
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self._refusals = Counter(
            "podreduce_pod_creation_errors", "Pods that could not be created.", ["reason"], registry=registry
        )
        self._requests = Counter(
            "podreduce_storage_requests",
            "Tries of requests to stores. All pages of a listing are one request.",
            ["operation", "code"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "podreduce_storage_request_seconds",
            "How long a try of a request to a store took, with the retries of the S3 client.",
            ["operation"],
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        for reason in sorted(CREATION_REFUSALS | {OTHER}):
            self._refusals.labels(reason)
        for operation in Operation:
            self._request_seconds.labels(operation.value)
        for operation, answer in product(Operation, Answer):
            self._requests.labels(operation.value, answer.value)

    def take_creation(self, seconds: float) -> None:
        """Count a pod that was created."""
        self._creations.observe(seconds)

    def take_refusal(self, reason: str) -> None:
        """Count a pod that was not created."""
        self._refusals.labels(bound(reason, CREATION_REFUSALS)).inc()

    def take_request(self, operation: Operation, answer: Answer, seconds: float) -> None:
        """Count a try of a request to a store."""
        self._requests.labels(operation.value, answer.value).inc()
        self._request_seconds.labels(operation.value).observe(seconds)
