"""docs/operations.md: what the operator tells Prometheus, and when it is not alive."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from docs.generator.tables import clean, table
from podreduce_operator.process import health
from podreduce_operator.process.loop_lag import LoopLag
from podreduce_operator.process.metrics import Metrics
from podreduce_operator.process.read_health import HealthReader


def list_health_limits() -> str:
    """Return when the operator is not alive."""
    limits = (
        ("`loopLagSeconds`", health.MAX_LAG_SECONDS, "the process does not get to what is due"),
        (
            "`silenceSeconds`",
            health.MAX_SILENCE_SECONDS,
            "nothing was heard of pods, or of jobs; a watch that hangs is replaced after 90 s",
        ),
        (
            "`overdueSeconds`",
            health.MAX_OVERDUE_SECONDS,
            "a pass over a job, a pipeline or a schedule has been due, or has run, for so long",
        ),
    )
    rows_ = [(name, f"{seconds:,.0f} s", meaning) for name, seconds, meaning in limits]
    return table(("number", "fails above", "meaning"), *rows_)


def list_metrics() -> str:
    """Return the operator's own metrics, each with its labels."""
    families = sorted(own_metrics(), key=lambda family: family.name)
    rows_ = [(f"`{say_metric(family)}`", family.type, clean(family.documentation)) for family in families]
    return table(("metric", "type", "what it is"), *rows_)


def list_metric_labels() -> str:
    """Return all values of each label."""
    values: dict[tuple[str, str], str] = {}
    for family in own_metrics():
        for label in labels_of(family):
            found = sorted({sample.labels[label] for sample in family.samples})
            values[label, name_metric(family)] = ", ".join(f"`{value}`" for value in found)
    rows_ = [(f"`{label}`", f"`{name}`", found) for (label, name), found in sorted(values.items())]
    return table(("label", "of", "values"), *rows_)


def own_metrics() -> Iterator[Metric]:
    """Yield the metrics that are not the process's, as an operator has them that has just started."""
    collected = Metrics(HealthReader(lag=LoopLag())).registry.collect()
    return (family for family in collected if family.name.startswith("podreduce_"))


def say_metric(family: Metric) -> str:
    """Return a metric's name with the names of its labels."""
    labels = labels_of(family)
    return f"{name_metric(family)}{{{','.join(labels)}}}" if labels else name_metric(family)


def name_metric(family: Metric) -> str:
    """Return a metric's name as Prometheus shows it."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels_of(family: Metric) -> list[str]:
    """Return the names of a metric's labels."""
    return list(dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le"))
