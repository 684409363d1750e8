"""When a loop of a pipeline ends: after each iteration, its conditions are evaluated on what the iterations left.

Rule: the answer depends on the records of the iterations alone, so it is the same after a restart. A value that is
missing, twice there or no number is an error, and so is a counter that no iteration ever had: a typing error must not
look like convergence. A counter that earlier iterations had, and the last one does not, is 0.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from podreduce.contract.texts import render_count

__all__ = [
    "Iteration",
    "Loop",
    "LoopEnd",
    "LoopError",
    "LoopValue",
    "StepOutcome",
    "Until",
    "end_after",
    "find_loop_end",
    "read_values",
]

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "Equal": operator.eq,
    "GreaterOrEqual": operator.ge,
    "Greater": operator.gt,
}


class LoopError(ValueError):
    """A condition cannot be evaluated. The message names the step, the value and the iteration."""


class LoopEnd(StrEnum):
    """How a loop ended."""

    CONVERGED = "Converged"
    LIMIT_REACHED = "LimitReached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """A condition on one step of the loop.

    Attributes:
        counter: `group/name`; or `output`: `Records` or `Bytes`; or `value`: a key in the step's output.
        of: the number itself, its change from the iteration before, or this change relative to the old number.
    """

    step: str
    comparison: Literal["Less", "LessOrEqual", "Equal", "GreaterOrEqual", "Greater"]
    than: float
    counter: str | None = None
    output: Literal["Records", "Bytes"] | None = None
    value: str | None = None
    of: Literal["Value", "Change", "RelativeChange"] = "Value"

    def __str__(self) -> str:
        """Return what is compared: `counter rank/micro of sum`."""
        if self.counter is not None:
            return f"counter {self.counter} of {self.step}"
        return f"{self.output} of {self.step}" if self.output is not None else f"value {self.value!r} of {self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A stretch of steps that is repeated. Without conditions it runs `max_iterations` times."""

    name: str
    max_iterations: int
    min_iterations: int = 1
    until: tuple[Until, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What one step left in one iteration. `values`: the numbers that its output has under each key asked for."""

    records: int
    bytes: int
    counters: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, Sequence[object]] = field(default_factory=dict)


Iteration = Mapping[str, StepOutcome]
"""What each step of the loop's body left in one iteration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopValue:
    """A condition's number in one iteration: None if there is none yet, as for a change in the first iteration."""

    number: float | None
    holds: bool


def find_loop_end(loop: Loop, iterations: Sequence[Iteration]) -> LoopEnd | None:
    """Return how the loop has ended, or None if another iteration is due.

    Args:
        loop: the loop.
        iterations: the complete iterations from the first on.

    Raises:
        LoopError: a condition cannot be evaluated.
    """
    ends = (end_after(loop, iterations[:count]) for count in range(1, len(iterations) + 1))
    return next((end for end in ends if end is not None), None)


def end_after(loop: Loop, iterations: Sequence[Iteration]) -> LoopEnd | None:
    """Return how the loop ends with the last of these iterations, if it has not ended before.

    Raises:
        LoopError: a condition cannot be evaluated.
    """
    count = len(iterations)
    if loop.until and count >= loop.min_iterations and all(value.holds for value in read_values(loop, iterations)):
        return LoopEnd.CONVERGED
    if count < loop.max_iterations:
        return None
    return LoopEnd.LIMIT_REACHED if loop.until else LoopEnd.CONVERGED


def read_values(loop: Loop, iterations: Sequence[Iteration]) -> list[LoopValue]:
    """Return the numbers of the loop's conditions after the last of these iterations.

    Raises:
        LoopError: a condition cannot be evaluated.
    """
    return [evaluate(until, iterations) for until in loop.until]


def evaluate(until: Until, iterations: Sequence[Iteration]) -> LoopValue:
    """Return a condition's number, and whether the condition holds."""
    number = read_number(until, iterations, len(iterations))
    if until.of != "Value":
        if len(iterations) == 1:
            return LoopValue(number=None, holds=False)
        number = change(until, read_number(until, iterations, len(iterations) - 1), number)
    return LoopValue(number=number, holds=COMPARISONS[until.comparison](number, until.than))


def change(until: Until, old: float, new: float) -> float:
    """Return the distance of two numbers, relative to the old one if that is asked for. From 0 it is 0 or infinite."""
    distance = abs(new - old)
    if until.of == "Change" or not distance:
        return distance
    return distance / abs(old) if old else math.inf


def read_number(until: Until, iterations: Sequence[Iteration], count: int) -> float:
    """Return the number that a condition reads from iteration `count`, counted from 1."""
    outcome = iterations[count - 1][until.step]
    if until.output is not None:
        return outcome.records if until.output == "Records" else outcome.bytes
    if until.counter is not None:
        return read_counter(until, until.counter, iterations, count)
    return read_value(until, outcome, count)


def read_counter(until: Until, counter: str, iterations: Sequence[Iteration], count: int) -> float:
    """Return a counter of an iteration; 0 if only other iterations have it."""
    found = iterations[count - 1][until.step].counters.get(counter)
    if found is None and not any(counter in each[until.step].counters for each in iterations):
        known = ", ".join(sorted(iterations[count - 1][until.step].counters)) or "none"
        raise LoopError(
            f"the step {until.step} has not counted {counter} in any iteration (until): count it with "
            f"context.count(group, name), or correct the name; its counters: {known}"
        )
    return 0 if found is None else found


def read_value(until: Until, outcome: StepOutcome, count: int) -> float:
    """Return the number under the condition's key in the step's output."""
    found = outcome.values.get(until.value or "", ())
    if len(found) != 1:
        times = "nothing" if not found else render_count(len(found), "record")
        raise LoopError(
            f"the output of {until.step} in iteration {count} has {times} under the key {until.value!r} (until): "
            "yield it exactly once"
        )
    number = found[0]
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise LoopError(
            f"the output of {until.step} in iteration {count} has {number!r} under the key {until.value!r} (until): "
            "yield a finite number"
        )
    return number
