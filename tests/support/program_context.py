"""Runs a job class as plain Python, without an engine: map all, sort by key, reduce; and the context that it gets."""

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any

__all__ = ["Pairs", "ProgramContext", "run_class"]

Pairs = list[tuple[Any, Any]]


class ProgramContext:
    """Parameters, the name of the input, a side input and counters."""

    def __init__(self, parameters: Mapping[str, str], side: list[tuple[Any, Any]] | None = None) -> None:
        self.parameters = parameters
        self.input = ""
        self.side = side or []
        self.counters: dict[str, int] = {}

    def count(self, group: str, name: str, amount: int = 1) -> None:
        self.counters[f"{group}/{name}"] = self.counters.get(f"{group}/{name}", 0) + amount

    def side_input(self, name: str) -> Iterator[tuple[Any, Any]]:  # noqa: ARG002 - the program names it
        return iter(self.side)


def run_class(job_class: Callable[[], Any], context: ProgramContext, inputs: Mapping[str, Pairs]) -> Pairs:
    """Return what a job of this class yields."""
    job = job_class()
    if hasattr(job, "setup"):
        job.setup(context)
    mapped = []
    for name, pairs in inputs.items():
        context.input = name
        mapped += [pair for key, value in pairs for pair in job.map_func(key, value)]
    mapped.sort(key=lambda pair: pair[0])
    if getattr(job, "combiner", None) == "sum":
        return [(key, sum(value for _, value in group)) for key, group in groupby(mapped, key=lambda pair: pair[0])]
    if not hasattr(job, "reduce_func"):
        return mapped
    groups = groupby(mapped, key=lambda pair: pair[0])
    return [pair for key, group in groups for pair in job.reduce_func(key, (value for _, value in group))]
