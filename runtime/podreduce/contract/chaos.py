"""`spec.chaos` as tasks read it: which trouble they make for themselves, and how often."""

from podreduce.contract.wire import Wire

__all__ = ["ChaosOptions"]


class ChaosOptions(Wire, frozen=True, kw_only=True):
    """How likely each trouble is, in percent.

    Attributes:
        kill_percent: of the attempts, which kill themselves somewhere on their way, as the kernel would.
        slow_percent: of the attempts, which take `slow_factor` times as long.
        storage_error_percent: of the requests to an S3 store, which fail as if the store had said 503.
    """

    kill_percent: float = 0.0
    slow_percent: float = 0.0
    slow_factor: float = 5.0
    storage_error_percent: float = 0.0
