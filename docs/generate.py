"""`python docs/generate.py`: writes the parts of the docs that follow from the code. A test holds them equal.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import ast
import configparser
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, TypeVar

from prometheus_client.core import Metric
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import CommitRecord, QuarantineRef, TaskRef
from podreduce.program.counters import BUILT_IN_GROUP
from podreduce_operator.api.crd import (
    JOBS,
    PIPELINES,
    SCHEDULES,
    VERSION,
    ResourceNames,
    load_crd,
    schema_of,
    schema_of_version,
)
from podreduce_operator.api.pipeline_parameters import resolve_steps
from podreduce_operator.api.spec import LIVE_FIELDS
from podreduce_operator.cli import commands
from podreduce_operator.cli.cluster.commands import COMMANDS
from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.pipelines.graph import Known, StepMark, build_graph
from podreduce_operator.cli.pipelines.graph_svg import draw_svg
from podreduce_operator.cli.pipelines.pipeline_file import load_pipeline, parse_pipeline_file
from podreduce_operator.history import post_mortem
from podreduce_operator.pipelines.job_of_step import STEP_FIELDS
from podreduce_operator.policy import failure_causes, failure_classes, status
from podreduce_operator.process import health
from podreduce_operator.process.loop_lag import LoopLag
from podreduce_operator.process.metrics import Metrics
from podreduce_operator.process.read_health import HealthReader

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"podreduce_operator": ROOT / "operator" / "podreduce_operator", "podreduce": ROOT / "runtime" / "podreduce"}
CONTRACTS = {"podreduce_operator": "operator-layers", "podreduce": "runtime-layers"}
Codes = TypeVar("Codes", bound=IntEnum)
PART = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PAGES = (
    "docs/architecture.md",
    "docs/cli.md",
    "docs/jobs.md",
    "docs/operations.md",
    "docs/reference.md",
    "docs/troubleshooting.md",
)
COST_NOTES = {
    "memory": "the first is free, and the task gets `backoff.outOfMemoryFactor` times the memory "
    "(not with `backoffLimitPerTask: 0`); later ones: ",
    "setup": "the same error twice in a task fails the job; until then: ",
    "excess": "the job fails at once; if `maxBadRecords` was raised meanwhile: ",
}
OUTAGE_NOTE = "; with `backoffLimitPerTask: 0` each counts"
COUNTERS = {
    "RecordsIn": "records read",
    "BytesIn": "bytes read",
    "RecordsOut": "records written: to the shuffle, or to the output",
    "BytesOut": "bytes written",
    "Spills": "how often a task's buffers went to disk",
    "BadRecords": "bad records that were skipped (`badRecords: Skip`)",
}
"""What each built-in counter counts, by the end of its name."""
WAYS = {
    "columnarTasks": "map tasks that ran the columnar way",
    "combineInput": "values that map tasks gave to `combine_func`, or to `largest:N` and `smallest:N`",
    "combineOutput": "values that it left",
    "declaredTasks": "map tasks that ran the declared way",
    "fusedTasks": "those of the declared and generic ones whose `map_func` was fused",
    "genericTasks": "map tasks that ran the generic way",
    "mapRecordsLeftOut": "records that `input.sample` left out; `mapRecordsIn` counts the others. Also in the status",
}
"""What the counters count that a task has beside the fields of its commit record."""


CRDS = ROOT / "crds"
SCHEDULE_CRD = CRDS / SCHEDULES.file_name
TEMPLATE_SPEC = re.compile(r"(?P<indent> +)(# generated: the spec of a (?P<kind>\w+)\n).*?( +# end\n)", re.DOTALL)
NOTE = re.compile(r"^ *# (generated: .*|end)\n", re.MULTILINE)
"""A line around a generated part. In a copy there is no second one."""


def main() -> None:
    """Write all pages and pictures, and the copies of specs in the schedule's CRD."""
    SCHEDULE_CRD.write_text(render_schedule_crd(), encoding="utf-8")
    for name, draw in PICTURES.items():
        (ROOT / name).write_text(draw(), encoding="utf-8")
    for page in PAGES:
        path = ROOT / page
        path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")


def render(page: str) -> str:
    """Return a page with its generated parts as they should be."""
    return PART.sub(lambda found: f"{found[1]}{PARTS[found['name']]()}{found[3]}", page)


def render_schedule_crd() -> str:
    """Return the CRD of MapReduceSchedules, with the specs of what it makes as their own CRDs have them now."""
    specs = {names.kind: read_spec_text(CRDS / names.file_name) for names in (JOBS, PIPELINES)}

    def replacement(found: re.Match[str]) -> str:
        lines = indent(specs[found["kind"]], found["indent"])
        return f"{found['indent']}{found[2]}{lines}{found[4]}"

    return TEMPLATE_SPEC.sub(replacement, SCHEDULE_CRD.read_text(encoding="utf-8"))


def read_spec_text(crd: Path) -> str:
    """Return the schema of a kind's spec as its CRD's text has it."""
    text = crd.read_text(encoding="utf-8")
    spec = text[text.index("\n            spec:\n") + 1 : text.index("\n            status:\n") + 1]
    return dedent(NOTE.sub("", spec))


def draw_pagerank() -> str:
    """Draw the pipeline of the example pagerank as it is after a run, if its last step was edited."""
    path = ROOT / "examples" / "pagerank" / "pipeline.yaml"
    file = parse_pipeline_file(path.read_text(encoding="utf-8"), path.name)
    spec = resolve_steps(load_pipeline(file).spec)
    known = Known(
        marks=dict.fromkeys(("seed", "spread", "sum"), StepMark.REUSE),
        notes={"seed": ["unchanged since run 1"]},
        iterations={"rank": 15},
        path=["top"],
    )
    return draw_svg(build_graph(spec, known), "pagerank")


def draw_layers() -> str:
    """Return the packages as floors: each imports only from floors below its own."""
    drawing = "\n\n".join("\n".join(draw_package(name)) for name in PACKAGES)
    return f"```text\n{drawing}\n```\n"


def draw_package(name: str) -> Iterator[str]:
    """Yield the lines of a package's floors, top first."""
    floors = read_floors(name)
    width = max(len("   ".join(floor)) for floor in floors) + 2
    yield f"{name} ({PACKAGES[name].relative_to(ROOT)})"
    yield f"┌{'─' * width}┐"
    for number, floor in enumerate(floors):
        if number:
            yield f"├{'─' * width}┤"
        yield f"│{'   '.join(floor).center(width)}│"
    yield f"└{'─' * width}┘"


def read_floors(name: str) -> list[list[str]]:
    """Return the floors that the import contract names, top first, the modules in none of the packages left out."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    lines = contracts[f"importlinter:contract:{CONTRACTS[name]}"]["layers"].split("\n")
    floors = [[child.strip() for child in line.split("|")] for line in lines if line.strip()]
    kept = ([child for child in floor if (PACKAGES[name] / child).is_dir()] for floor in floors)
    return [floor for floor in kept if floor]


def list_packages() -> str:
    """Return a table for each of the two: its packages, what each does, and its modules."""
    head = ("package", "what it does", "modules")
    return "\n".join(f"### {name}\n\n{table(head, *rows(name))}" for name in PACKAGES)


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """Yield the row of each package, the top floor first."""
    for floor in read_floors(name):
        for child in floor:
            for directory in [PACKAGES[name] / child, *sorted((PACKAGES[name] / child).glob("*/"))]:
                if (directory / "__init__.py").exists():
                    place = directory.relative_to(PACKAGES[name]).as_posix()
                    yield f"`{place}`", describe(directory), list_modules(directory)


def describe(directory: Path) -> str:
    """Return a package's docstring on one line."""
    docstring = ast.get_docstring(ast.parse((directory / "__init__.py").read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split()).replace("|", "\\|").replace(" Rule: ", " *Rule:* ")


def list_modules(directory: Path) -> str:
    """Return the names of a package's modules."""
    return ", ".join(path.stem for path in sorted(directory.glob("*.py")) if not path.stem.startswith("__"))


def list_live_fields() -> str:
    """Return the fields that a running job still reads."""
    return "".join(f"- `{name}`\n" for name in sorted(LIVE_FIELDS))


def table(*rows_: tuple[str, ...]) -> str:
    """Return a table; the first row is its head."""
    head, *body = rows_
    lines = [head, ("---",) * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def list_failure_classes() -> str:
    """Return what each class of failure costs."""
    head = ("class", "reasons", "cost", "next attempt after", "when used up, the job fails with")
    return table(head, *map(describe_class, failure_classes.CLASSES))


def describe_class(known: failure_classes.FailureClass) -> tuple[str, ...]:
    """Return a class of failure as a row."""
    reasons = ", ".join(f"`{reason}`" for reason in sorted(known.reasons))
    if known.is_fatal:
        return known.name, reasons, "the job fails at once", "", "the reason itself"
    note = COST_NOTES.get(known.name, "")
    if known.is_counted:
        return known.name, reasons, f"{note}one of `backoffLimitPerTask`", "`backoff`", "`BackoffLimitExceeded`"
    outage = OUTAGE_NOTE if known in (failure_classes.OUTAGE, failure_classes.DENIAL) else ""
    delay = f"{known.first_delay_seconds:.0f} s, doubling to {known.max_delay_seconds:.0f} s"
    return known.name, reasons, f"{note}none, {known.limit - 1} times a task{outage}", delay, f"`{known.exhausted}`"


def list_exit_codes() -> str:
    """Return a task's exit codes, with the reasons of attempts that said nothing else."""
    reasons = failure_causes.REASONS_BY_EXIT_CODE | {ExitCode.OK: "CommitMissing"}
    codes = [(str(code.value), f"`{reasons.get(code, 'PodFailed')}`", text) for code, text in read_exit_codes(ExitCode)]
    killed = ("137", f"`{reasons[137]}`", "Killed with signal 9; for memory, Kubernetes says so: `OutOfMemory`.")
    other = ("others", "`PodFailed`", "The process ended without a message; from 129 on by signal code - 128.")
    return table(("exit code", "reason, without a message", "meaning"), *codes, killed, other)


def read_exit_codes(codes: type[Codes]) -> Iterator[tuple[Codes, str]]:
    """Yield each exit code with the text below it in the source."""
    body = ast.parse(dedent(inspect.getsource(codes))).body[0]
    for node, following in pairwise(body.body if isinstance(body, ast.ClassDef) else ()):
        if isinstance(node, ast.Assign) and isinstance(following, ast.Expr) and isinstance(node.targets[0], ast.Name):
            yield codes[node.targets[0].id], " ".join(ast.literal_eval(following.value).split())


def list_commands() -> str:
    """Return the commands for a cluster, with the options that not all of them have."""
    found = get_command(commands.app)
    known = found.commands.values() if isinstance(found, TyperGroup) else ()
    shown = [each for each in known if isinstance(each, TyperCommand) and each.name in COMMANDS]
    return table(("command", "what it does"), *map(describe_command, shown))


def describe_command(command: TyperCommand) -> tuple[str, str]:
    """Return a command with its arguments and its own options, and the first paragraph of its help."""
    own = [each for each in command.params if each.name not in {"namespace", "context_name", "kubeconfig"}]
    words = [f"{each.metavar}" if each.param_type_name == "argument" else f"[{each.opts[0]}]" for each in own]
    return f"`{' '.join([str(command.name), *words])}`", " ".join(str(command.help).split("\n\n")[0].split())


def list_counters() -> str:
    """Return our own counters, and how many names the status shows."""
    quarantine = QuarantineRef(key="", records=1, kept=1)
    commits = [make_commit("m-0", quarantine=quarantine), make_commit("r-0")]
    meanings = [
        (f"`{name}`", COUNTERS[re.sub(r"^(map|reduce)", "", name)])
        for name in sorted(status.render_counters(commits, {})[BUILT_IN_GROUP])
    ]
    caps = (
        f"\nThe status shows at most {status.MAX_COUNTERS} names in all, these first, then the program's in order of "
        f"group and name.\nIt leaves out the others. Names are cut: groups at {status.MAX_GROUP_NAME} "
        f"bytes, counters at {status.MAX_COUNTER_NAME}.\n\n"
        "The [post-mortem](troubleshooting.md#what-happened-the-post-mortem) has all counters in its field `counters`, "
        f"up to {post_mortem.MAX_COUNTERS:,} whole names,\nand in the group `podreduce` also these, which say "
        "[in which way map tasks ran](performance.md#three-ways-to-run-a-task):\n\n"
    )
    head = ("counter", "what it counts")
    ways = table(head, *((f"`{name}`", meaning) for name, meaning in WAYS.items()))
    return f"{table(head, *meanings)}{caps}{ways}"


def make_commit(task: str, quarantine: QuarantineRef | None = None) -> CommitRecord:
    """Return a commit record in which nothing is missing that is counted."""
    return CommitRecord(
        task=TaskRef.parse(task),
        generation=0,
        attempt_id="",
        pod_name="",
        started_at=0.0,
        finished_at=0.0,
        records_in=1,
        bytes_in=1,
        records_out=1,
        bytes_out=1,
        quarantine=quarantine,
    )


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


def list_fields(part: str, names: ResourceNames = JOBS) -> str:
    """Return the fields of the spec or of the status, as the CRD has them."""
    schema = schema_of(names)["properties"][part]
    if part == "status":
        fields = [(f"`{path}`", kind, text) for path, kind, _, text in iter_fields(schema, part)]
        return table(("field", "type", "what it says"), *fields)
    if names is not JOBS:
        found = [each for each in iter_fields(schema, part) if not OF_TEMPLATES.match(each[0])]
        return table(("field", "type", "default", "what it does"), *((f"`{p}`", k, d, t) for p, k, d, t in found))
    head = ("field", "type", "default", "change", "what it does")
    return table(head, *((f"`{p}`", k, d, say_change(p), t) for p, k, d, t in iter_fields(schema, part)))


OF_TEMPLATES = re.compile(r"spec\.(job|pipeline)Template\.spec\.")
"""The fields that are described with the jobs and the pipelines."""


def list_pipeline_fields(part: str) -> str:
    """Return the fields of a pipeline's spec or status, without those of its steps that are a job's."""
    schema = schema_of_version(load_crd(PIPELINES), VERSION)["properties"][part]
    if part == "status":
        found = [(f"`{path}`", kind, text) for path, kind, _, text in iter_fields(schema, part)]
        return table(("field", "type", "what it says"), *found)
    own = [each for each in iter_fields(schema, part) if is_of_pipelines(each[0])]
    head = ("field", "type", "default", "what it does")
    return table(head, *((f"`{path}`", kind, default, text) for path, kind, default, text in own))


def is_of_pipelines(path: str) -> bool:
    """Tell whether a field is not described with the jobs."""
    if not path.startswith("spec.steps[]."):
        return not path.startswith(("spec.program.", "spec.storage."))
    place = re.sub(r"^spec.steps\[\]\.", "", path)
    return place in STEP_FIELDS or bool(OWN_OF_STEPS.match(place))


OWN_OF_STEPS = re.compile(
    r"(inputs|sideInputs)\[\]\.(name|uris|from|previous|first(\..*)?|format)$|output\.(uri|format|ifExists)$"
)


def say_change(path: str) -> str:
    """Return when a change of the field takes effect."""
    name = path.split(".")[1].removesuffix("[]")
    if name == "runId":
        return "starts a run"
    return "live" if name in LIVE_FIELDS else "next runId"


def iter_fields(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield path, type, default and description of the fields below."""
    for name, field in schema.get("properties", {}).items():
        place = f"{path}.{name}"
        items = field.get("items", {})
        yield place, say_type(field), say_default(field), clean(field.get("description", ""))
        yield from iter_fields(items if items.get("properties") else field, f"{place}[]" if items else place)


def say_type(field: Mapping[str, Any]) -> str:
    """Return a field's type, and the values that it may have."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "int or string"
    return f"{say_type(field['items'])} list" if field.get("type") == "array" else str(field.get("type", "any"))


def say_default(field: Mapping[str, Any]) -> str:
    """Return a field's default as JSON; nothing where it has none, or only its fields have."""
    value = field.get("default", {})
    return "" if value == {} else f"`{json.dumps(value).strip(chr(34))}`"


def clean(text: str) -> str:
    """Return a text as it stands in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def list_chart_settings() -> str:
    """Return the chart's settings with the comments above them."""
    text = (ROOT / "charts" / "podreduce" / "values.yaml").read_text(encoding="utf-8")
    return table(("setting", "default", "what it does"), *iter_settings(text.split("\n")))


def iter_settings(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield path, default and comment of each key."""
    path: list[str] = []
    comment: list[str] = []
    for line in lines:
        found = re.fullmatch(r"(?P<indent> *)(?P<key>\w+): ?(?P<value>.*)", line)
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip("# "))
        elif found is None:
            comment = []
        else:
            path = [*path[: len(found["indent"]) // 2], found["key"]]
            yield f"`{'.'.join(path)}`", f"`{found['value']}`" if found["value"] else "", clean(" ".join(comment))
            comment = []


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
    "pipeline-fields": lambda: list_pipeline_fields("spec"),
    "pipeline-status-fields": lambda: list_pipeline_fields("status"),
    "schedule-fields": lambda: list_fields("spec", SCHEDULES),
    "schedule-status-fields": lambda: list_fields("status", SCHEDULES),
    "spec-fields": lambda: list_fields("spec"),
    "status-fields": lambda: list_fields("status"),
}


if __name__ == "__main__":
    main()
