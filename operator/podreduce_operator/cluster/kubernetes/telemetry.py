"""What a cluster reports as it happens, for somebody who counts it. By default nobody listens."""

from collections.abc import Callable
from dataclasses import dataclass

from podreduce.storage import OnRequest, ignore_request

__all__ = ["ClusterTelemetry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTelemetry:
    """The listeners; each is called at once and must return at once.

    Attributes:
        on_creation: called with the seconds that the creation of a pod took, without the wait for its turn.
        on_refusal: called with the reason for which a pod was not created.
        on_request: called with each request to a store, also from threads.
    """

    on_creation: Callable[[float], None] = lambda _seconds: None
    on_refusal: Callable[[str], None] = lambda _reason: None
    on_request: OnRequest = ignore_request
