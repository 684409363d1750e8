"""What a job should give: its plain class called by a few lines of Python, over the records as they were drawn."""

from typing import Any

from tests.metamorphic.job import Job
from tests.metamorphic.outcome import Record, render
from tests.support.sample_oracle import is_sampled

__all__ = ["expected_records", "kept_records"]

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
        pairs = [pair for key, value in kept_records(job) for pair in instance.map_func(key, value)]
        is_sorted = job.program.reduce == "sorted"
        reduced = pairs if job.program.reduce == "map-only" else reduce_pairs(instance, pairs, is_sorted=is_sorted)
    except TypeError:  # nulls that cannot be added or compared
        return None
    as_row = job.program.map == "as they come"
    return [render(as_key(key), value, job.output, as_row=as_row) for key, value in reduced]


def kept_records(job: Job) -> list[tuple[Any, Any]]:
    """Return the records of the job's input that its sample keeps."""
    records = job.input.records
    if job.sample is None:
        return records
    return [
        (key, value)
        for (key, value), home in zip(records, job.input.homes, strict=True)
        if is_sampled(job.shape.format, f"in/{home}", key, **job.sample)
    ]


def make_instance(source: str) -> Any:
    """Return an instance of the class in a source."""
    module: dict[str, Any] = {}
    exec(source, module)  # noqa: S102 - the program that was drawn
    return module["Job"]()


def as_key(key: Any) -> Any:
    """Return a key as the shuffle has it: an integral float is an int."""
    return int(key) if isinstance(key, float) and key.is_integer() else key


def reduce_pairs(instance: Any, pairs: list[tuple[Any, Any]], *, is_sorted: bool) -> list[tuple[Any, Any]]:
    """Reduce the values of each key; `is_sorted`: the keys by their second elements."""
    groups: dict[Any, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(as_key(key), []).append(value)
    if is_sorted:
        groups = dict(sorted(groups.items(), key=lambda item: item[0][1]))
    combiner = getattr(instance, "combiner", None)
    if combiner is not None and ":" in combiner:
        which, most = combiner.split(":")
        kept = {key: sorted(values, reverse=which == "largest")[: int(most)] for key, values in groups.items()}
        reduce = getattr(instance, "reduce_func", lambda key, values: [(key, value) for value in values])
        return [pair for key, values in kept.items() for pair in reduce(key, iter(values))]
    if combiner is not None:
        return [(key, AGGREGATES[combiner](values)) for key, values in groups.items()]
    return [pair for key, values in groups.items() for pair in instance.reduce_func(key, iter(values))]
