"""How urgent each step is: the longest way from its start to the end of the pipeline, in seconds.

This is the upward rank of HEFT without transfer times (Topcuoglu, Hariri, Wu: "Performance-effective and low-complexity
task scheduling for heterogeneous computing", IEEE TPDS 13(3), 2002): a step's own estimate, plus the largest rank of
the steps that read its output. The order matters more than exact estimates do (Ilyushkin, Epema: "The impact of task
runtime estimate accuracy on scheduling workloads of workflows", CCGRID 2018), so one rate serves all programs until
something has been measured.
"""

from collections.abc import Mapping, Sequence

__all__ = ["START_SECONDS", "UNKNOWN_BYTES_PER_SLOT_SECOND", "critical_path", "estimate_seconds", "rank_steps"]

START_SECONDS = 4.0
"""Two waves of pods: each takes one to two seconds to start."""
UNKNOWN_BYTES_PER_SLOT_SECOND = 40e6
"""What a core reads each second, for a step that has never run: that of the word count benchmark."""


def estimate_seconds(bytes_in: float, slots: int, slot_seconds_per_byte: float | None = None) -> float:
    """Return how long a step takes.

    Args:
        bytes_in: what it has still to read.
        slots: how many tasks run at a time, at least 1.
        slot_seconds_per_byte: as measured in its last run; None if it has never run.
    """
    rate = 1 / UNKNOWN_BYTES_PER_SLOT_SECOND if slot_seconds_per_byte is None else slot_seconds_per_byte
    return START_SECONDS + bytes_in * rate / max(slots, 1)


def rank_steps(estimates: Mapping[str, float], consumers: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return each step's rank in seconds.

    Args:
        estimates: how long each step takes, in the order of the pipeline: a step is listed before its consumers.
        consumers: the steps that wait for each step.
    """
    ranks: dict[str, float] = {}
    for step in reversed(list(estimates)):
        ranks[step] = estimates[step] + max((ranks[each] for each in consumers.get(step, ())), default=0.0)
    return {step: ranks[step] for step in estimates}


def critical_path(estimates: Mapping[str, float], consumers: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the steps of the longest way through the pipeline; of equally long ones, the steps listed first."""
    ranks = rank_steps(estimates, consumers)
    path: list[str] = []
    open_steps: Sequence[str] = list(estimates)
    while open_steps:
        step = max(open_steps, key=lambda each: ranks[each])
        path.append(step)
        open_steps = consumers.get(step, ())
    return path
