"""`spec.chaos` as tasks read it: which faults they cause themselves, and how often."""

from podreduce.contract.wire import Wire

__all__ = ["ChaosOptions"]


class ChaosOptions(Wire, frozen=True, kw_only=True):
    """How likely each fault is, in percent.

    Attributes:
        kill_percent: of the attempts: they kill themselves at a random point, as the kernel would.
        slow_percent: of the attempts: they take `slow_factor` times as long.
        storage_error_percent: of the requests to an S3 store: they fail as if the store had answered 503.
    """

    kill_percent: float = 0.0
    slow_percent: float = 0.0
    slow_factor: float = 5.0
    storage_error_percent: float = 0.0
