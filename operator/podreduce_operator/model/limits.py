"""What an installation allows each job."""

from dataclasses import dataclass

__all__ = ["Limits", "PendingDeadlines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDeadlines:
    """How long pods may wait before the job fails, by what they wait for. None means for ever.

    Attributes:
        absent_seconds: for an image, Secret or ConfigMap that does not exist; it may be applied a little later.
        image_seconds: for an image that cannot be pulled for another reason, such as a registry that is down.
        unschedulable_seconds: for a node.
    """

    absent_seconds: float | None = 30.0
    image_seconds: float | None = 600.0
    unschedulable_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the installation allows a job.

    Attributes:
        parallelism: how many pods may be active at once (locally: the number of cores).
        speculates: slow tasks may get a second attempt. This does not help on one machine.
        packs: with `tasksPerPod: Auto`, several tasks may share a pod, because starting pods is slow.
        chaos: `spec.chaos` is allowed.
        pending: how long pods may wait.
        post_mortem_of: which final conditions get a post-mortem. A local run writes it only for failures.
    """

    parallelism: int = 1000
    speculates: bool = True
    packs: bool = True
    chaos: bool = False
    pending: PendingDeadlines = PendingDeadlines()
    post_mortem_of: frozenset[str] = frozenset({"Complete", "Failed"})
