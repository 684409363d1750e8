"""What a job should give: its plain class called by a few lines of Python, over the records as they were drawn."""

from typing import Any

from tests.metamorphic.job import Job
from tests.metamorphic.outcome import Record, render

__all__ = ["expected_records"]

AGGREGATES = {"sum": sum, "min": min, "max": max, "count": len}


def expected_records(job: Job) -> list[Record] | None:
    """Return the records of the job's output; None where that is not known or the job has to fail."""
    shape = job.shape
    uneven = shape.ragged and shape.format == "CSV" and not shape.header  # columns may refuse rows of other lengths
    if job.program.is_columnar and (shape.nulls or uneven):
        return None
    if shape.bom or (job.input.bad_records and job.bad_records == "Fail"):
        return None
    instance = make_instance(job.program.plain)
    try:
        pairs = [pair for key, value in job.input.records for pair in instance.map_func(key, value)]
        reduced = pairs if job.program.reduce == "map-only" else reduce_pairs(instance, pairs)
    except TypeError:  # nulls that cannot be added or compared
        return None
    as_row = job.program.map == "as they come"
    return [render(as_key(key), value, job.output, as_row=as_row) for key, value in reduced]


def make_instance(source: str) -> Any:
    """Return an instance of the class in a source."""
    module: dict[str, Any] = {}
    exec(source, module)  # noqa: S102 - the program that was drawn
    return module["Job"]()


def as_key(key: Any) -> Any:
    """Return a key as the shuffle has it: an integral float is an int."""
    return int(key) if isinstance(key, float) and key.is_integer() else key


def reduce_pairs(instance: Any, pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Reduce the values of each key."""
    groups: dict[Any, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(as_key(key), []).append(value)
    combiner = getattr(instance, "combiner", None)
    if combiner is not None:
        return [(key, AGGREGATES[combiner](values)) for key, values in groups.items()]
    return [pair for key, values in groups.items() for pair in instance.reduce_func(key, iter(values))]
