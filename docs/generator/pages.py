"""Which pages and pictures have parts that follow from the code.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import re
from collections.abc import Callable, Mapping

from docs.generator.command_list import list_commands
from docs.generator.counters import list_counters
from docs.generator.failures import list_exit_codes, list_failure_classes, read_exit_codes
from docs.generator.fields import list_fields, list_live_fields, list_pipeline_fields
from docs.generator.metrics import list_health_limits, list_metric_labels, list_metrics
from docs.generator.packages import draw_layers, list_packages
from docs.generator.pictures import draw_pagerank
from docs.generator.settings import list_chart_settings
from docs.generator.tables import table
from podreduce_operator.api.crd import PIPELINES, SCHEDULES
from podreduce_operator.cli.cluster.errors import CommandExit

PART = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PAGES = (
    "docs/architecture.md",
    "docs/cli.md",
    "docs/jobs.md",
    "docs/operations.md",
    "docs/reference.md",
    "docs/troubleshooting.md",
)


def render(page: str) -> str:
    """Return a page with its generated parts as they should be."""
    return PART.sub(lambda found: f"{found[1]}{PARTS[found['name']]()}{found[3]}", page)


PICTURES = {"docs/pagerank.svg": draw_pagerank}
PARTS: Mapping[str, Callable[[], str]] = {
    "chart-settings": list_chart_settings,
    "cluster-commands": list_commands,
    "cluster-exit-codes": lambda: table(
        ("exit code", "meaning"), *((str(code.value), text) for code, text in read_exit_codes(CommandExit))
    ),
    "counters": list_counters,
    "exit-codes": list_exit_codes,
    "failure-classes": list_failure_classes,
    "health-limits": list_health_limits,
    "layers": draw_layers,
    "live-fields": list_live_fields,
    "metric-labels": list_metric_labels,
    "metrics": list_metrics,
    "packages": list_packages,
    "pipeline-fields": list_pipeline_fields,
    "pipeline-status-fields": lambda: list_fields("status", PIPELINES),
    "schedule-fields": lambda: list_fields("spec", SCHEDULES),
    "schedule-status-fields": lambda: list_fields("status", SCHEDULES),
    "spec-fields": lambda: list_fields("spec"),
    "status-fields": lambda: list_fields("status"),
}
