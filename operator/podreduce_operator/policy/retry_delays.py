"""When a task's next attempt may start, and with how much memory.

Rule: pure arithmetic over recorded times. No state is kept in memory, and no timer is used.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from podreduce.contract.task import FailureRecord
from podreduce_operator.api.spec import BackoffSpec, JobSpec
from podreduce_operator.policy.failure_classes import DISRUPTION, MEMORY, MEMORY_UNAVAILABLE, FailureClass, class_of

__all__ = [
    "FAULT_RETRY_SECONDS",
    "fault_retry_seconds",
    "may_raise_memory",
    "memory_factor",
    "next_attempt_at",
    "ran_out_of_memory",
    "uncounted_by_budget",
]

FAULT_RETRY_SECONDS = 5.0
"""How long to wait after a temporary fault."""

MAX_FAULT_RETRY_SECONDS = 60.0
"""How long to wait at most for a store that has refused for some time."""


def fault_retry_seconds(troubled_since: float | None, now: float) -> float:
    """Return how long to wait for a store: as long as it has refused or been away, 5 s to a minute."""
    lasted_seconds = 0.0 if troubled_since is None else now - troubled_since
    return min(max(lasted_seconds, FAULT_RETRY_SECONDS), MAX_FAULT_RETRY_SECONDS)


def memory_factor(failures: Sequence[FailureRecord], spec: JobSpec) -> float:
    """Return the factor for the memory of a task's next attempt: above 1.0 if an attempt ran out of memory.

    If no node had that much, the next attempts get the usual memory again.
    """
    if any(failure.reason == MEMORY_UNAVAILABLE for failure in failures):
        return 1.0
    return spec.backoff.out_of_memory_factor if may_raise_memory(spec) and ran_out_of_memory(failures) else 1.0


def may_raise_memory(spec: JobSpec) -> bool:
    """Tell whether a task that runs out of memory gets an attempt with more memory."""
    return spec.backoff.out_of_memory_factor > 1.0 and spec.backoff_limit_per_task > 0


def ran_out_of_memory(failures: Sequence[FailureRecord]) -> bool:
    """Tell whether one of the attempts ran out of memory."""
    return any(failure.reason in MEMORY.reasons for failure in failures)


def budget_of(failure: FailureRecord) -> FailureClass:
    """Return the class whose budget an uncounted failure uses: its own class, or disruptions if that has no budget."""
    known = class_of(failure.reason)
    return DISRUPTION if known.is_counted or known.is_fatal else known


def next_attempt_at(failures: Sequence[FailureRecord], backoff: BackoffSpec) -> float:
    """Return when the task's next attempt may start (0.0: at once), from the recorded times alone.

    After the n-th counted failure the delay is min(initial x factor^(n-1), max) seconds from its end. Uncounted
    failures have the delay of their class, from the last end in that class. The latest of these times is returned.
    """
    counted = [failure.finished_at for failure in failures if failure.counted]
    others = [
        delayed(
            [failure.finished_at for failure in uncounted],
            budget.first_delay_seconds,
            2.0,
            budget.max_delay_seconds,
        )
        for budget, uncounted in uncounted_by_budget(failures).items()
    ]
    return max(delayed(counted, backoff.initial_seconds, backoff.factor, backoff.max_seconds), *others, 0.0)


def uncounted_by_budget(failures: Sequence[FailureRecord]) -> Mapping[FailureClass, list[FailureRecord]]:
    """Return the uncounted failures by the class whose budget they use."""
    by_budget: defaultdict[FailureClass, list[FailureRecord]] = defaultdict(list)
    for failure in failures:
        if not failure.counted:
            by_budget[budget_of(failure)].append(failure)
    return by_budget


def delayed(finished: Sequence[float], initial: float, factor: float, maximum: float) -> float:
    """Return the last finish plus the exponential delay after this many failures; 0.0 without failures."""
    if not finished:
        return 0.0
    try:
        delay = initial * factor ** (len(finished) - 1)
    except OverflowError:
        delay = maximum if initial else 0.0
    return max(finished) + min(delay, maximum)
