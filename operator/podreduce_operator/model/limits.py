"""What an installation allows each job."""

from dataclasses import dataclass

__all__ = ["Limits", "PendingDeadlines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDeadlines:
    """How long pods may wait before the job fails, by what they wait for; None is for ever.

    Attributes:
        absent_seconds: an image, Secret or ConfigMap that is not there: it may be applied a little later.
        image_seconds: an image that cannot be pulled for another reason, such as a registry that is away.
        unschedulable_seconds: a node.
    """

    absent_seconds: float | None = 30.0
    image_seconds: float | None = 600.0
    unschedulable_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the installation allows a job.

    Attributes:
        parallelism: how many pods may be active at once (locally: the cores).
        speculates: slow tasks may get a second attempt; on one machine that helps nobody.
        packs: pods are dear, so that several tasks may share one of the operator's own accord (`Auto`).
        chaos: `spec.chaos` is allowed.
        pending: how long pods may wait.
        post_mortem_of: which ends of a run get a post-mortem (locally only failures: the rest is thrown away).
    """

    parallelism: int = 1000
    speculates: bool = True
    packs: bool = True
    chaos: bool = False
    pending: PendingDeadlines = PendingDeadlines()
    post_mortem_of: frozenset[str] = frozenset({"Complete", "Failed"})
