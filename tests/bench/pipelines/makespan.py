"""What ranks gain: how long drawn graphs take if the slots go to the longest way left, or in the order of the file.

A calculation with the operator's own `divide_slots` and `rank_steps`: nothing runs. A task is never interrupted, and a
step starts when all that it reads is complete.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median
from typing import Final

from podreduce_operator.pipelines.ranks import rank_steps
from podreduce_operator.pipelines.shares import Claim, divide_slots
from tests.bench.pipelines.rows import Row

__all__ = ["compute_makespan", "draw_graph", "measure_makespans"]

GRAPHS: Final = 10
STEPS: Final = 24
SLOTS: Final = 8
MOST_TASKS: Final = 24
MOST_SECONDS: Final = 60
MOST_PRODUCERS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a drawn graph: so many tasks of so many seconds each, after its producers."""

    name: str
    tasks: int
    seconds: float
    producers: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a step is: tasks that have not started, when each running one ends, and its share of the slots."""

    waiting: int
    ends: list[float] = field(default_factory=list)
    share: int = 0

    @property
    def is_complete(self) -> bool:
        return not self.waiting and not self.ends


def measure_makespans() -> list[Row]:
    """Compare the two orders on ten drawn graphs."""
    graphs = [draw_graph(Random(seed)) for seed in range(GRAPHS)]  # noqa: S311 - drawn again the same way
    ratios = [compute_makespan(graph, by_list(graph)) / compute_makespan(graph, by_rank(graph)) for graph in graphs]
    figure = f"{median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
    what = f"makespan in list order : by rank, {GRAPHS} drawn graphs of {STEPS} steps on {SLOTS} slots (calculated)"
    return [Row(what=what, figure=figure)]


def draw_graph(random: Random) -> list[Step]:
    """Draw a graph: each step reads up to three of those before it."""
    steps: list[Step] = []
    for number in range(STEPS):
        known = [step.name for step in steps]
        producers = random.sample(known, min(len(known), random.randint(0, MOST_PRODUCERS)))
        tasks, seconds = random.randint(1, MOST_TASKS), random.uniform(1, MOST_SECONDS)
        steps.append(Step(name=f"s{number}", tasks=tasks, seconds=seconds, producers=tuple(producers)))
    return steps


def by_rank(graph: Sequence[Step]) -> Mapping[str, float]:
    """Return each step's rank as the operator has it."""
    estimates = {step.name: step.seconds * step.tasks / min(step.tasks, SLOTS) for step in graph}
    consumers = {step.name: [each.name for each in graph if step.name in each.producers] for step in graph}
    return rank_steps(estimates, consumers)


def by_list(graph: Sequence[Step]) -> Mapping[str, float]:
    """Return ranks by which the step that is listed first comes first."""
    return {step.name: float(len(graph) - number) for number, step in enumerate(graph)}


def compute_makespan(graph: Sequence[Step], ranks: Mapping[str, float]) -> float:
    """Return after how many seconds all steps are complete."""
    now, progress = 0.0, {step.name: Progress(waiting=step.tasks) for step in graph}
    while not all(each.is_complete for each in progress.values()):
        start_tasks(graph, progress, ranks, now)
        now = min(end for each in progress.values() for end in each.ends)
        for each in progress.values():
            each.ends = [end for end in each.ends if end > now]
            each.share = 0 if each.is_complete else each.share
    return now


def start_tasks(
    graph: Sequence[Step], progress: Mapping[str, Progress], ranks: Mapping[str, float], now: float
) -> None:
    """Divide the slots, and start what has one."""
    ready = [step for step in graph if can_run(step, progress)]
    claims = [
        Claim(
            step=step.name,
            rank=ranks[step.name],
            wanted=min(progress[step.name].waiting + len(progress[step.name].ends), SLOTS),
            share=progress[step.name].share,
            active=len(progress[step.name].ends),
        )
        for step in ready
    ]
    shares = divide_slots(claims, SLOTS)
    for step in ready:
        each = progress[step.name]
        each.share = shares.get(step.name, 0)
        started = min(each.waiting, max(each.share - len(each.ends), 0))
        each.waiting -= started
        each.ends += [now + step.seconds] * started


def can_run(step: Step, progress: Mapping[str, Progress]) -> bool:
    """Tell whether a step is not complete, and all that it reads is."""
    return not progress[step.name].is_complete and all(progress[each].is_complete for each in step.producers)
