"""The parts of the CRD of pipelines that are those of the CRD of jobs.

A part stands between `# generated: NAME` and `# end`.
"""

import copy
import re
from collections.abc import Callable, Mapping
from textwrap import indent
from typing import Any

import yaml

from docs.generator.tables import ROOT
from podreduce_operator.api.crd import job_schema
from podreduce_operator.pipelines.job_of_step import STEP_FIELDS

PIPELINE_CRD = ROOT / "crds" / "podreduce.dev_mapreducepipelines.yaml"
PART = re.compile(r"(?P<indent> +)# generated: (?P<name>[^\n]+)\n(?:.*?\n)??(?P=indent)# end\n", re.DOTALL)
WIDTH = 96

Schema = Mapping[str, Any]

DEFAULTS_OF_STEPS = ("image", "storage", "podTemplate")
OF_THE_PIPELINE = frozenset(
    {
        "deleteAfterFinishedSeconds",
        "input",
        "runId",
        "runPolicy",
        "storage",
        "suspend",
        "ttlSecondsAfterFinished",
    }
)
"""The fields of a job that no step has, because the pipeline decides them for all its jobs."""
OWN_DEFAULTS = {"tasksPerPod": "Auto"}
"""A step may be small, and a pod costs more than a second."""
DEFAULT_IN_TEXT = re.compile(r"Default: \S+\.$")


def render(text: str) -> str:
    """Return the CRD with its generated parts as they should be."""

    def replacement(found: re.Match[str]) -> str:
        lines = yaml.safe_dump(PARTS[found["name"]](), sort_keys=False, width=WIDTH, allow_unicode=True)
        return (
            f"{found['indent']}# generated: {found['name']}\n{indent(lines, found['indent'])}{found['indent']}# end\n"
        )

    return PART.sub(replacement, text)


def job_fields() -> Schema:
    """Return the fields of a job's spec."""
    fields: Schema = job_schema()["properties"]["spec"]["properties"]
    return fields


def program() -> Schema:
    """Return the program.

    The rules of its wheels are left out: for 200 wheels in each of 64 steps they would cost more than an API server
    takes. The job of each step is checked with them before the run begins.
    """
    found = copy.deepcopy(dict(job_fields()["program"]))
    del found["properties"]["requirements"]["items"]["properties"]["uri"]["x-kubernetes-validations"]
    return {"program": found}


def defaults_of_steps() -> Schema:
    """Return the fields that a pipeline may set for all steps."""
    return {name: job_fields()[name] for name in DEFAULTS_OF_STEPS}


def fields_of_steps() -> Schema:
    """Return the fields of a job that a step has as they are."""
    own = (STEP_FIELDS - {"image", "parallelism", "podTemplate"}) | OF_THE_PIPELINE
    return {name: with_default(name, field) for name, field in job_fields().items() if name not in own}


def with_default(name: str, field: Schema) -> Schema:
    """Return a field with the default that it has in a step."""
    if name not in OWN_DEFAULTS:
        return field
    own = OWN_DEFAULTS[name]
    described = DEFAULT_IN_TEXT.sub(f"Default: {own}.", field["description"])
    return {**field, "default": own, "description": described}


def input_schema(name: str) -> Schema:
    """Return the schema of one of a job's inputs or side inputs."""
    fields = job_fields()
    schema: Schema = fields.get(name, fields["inputs"])["items"]
    return schema


def options(schema: Schema, own: frozenset[str]) -> Schema:
    """Return the fields besides the pipeline's own. The format has no default: it follows from what is read."""
    fields = {name: dict(field) for name, field in schema["properties"].items() if name not in own}
    if "format" in fields:
        fields["format"].pop("default", None)
        fields["format"]["description"] = DEFAULT_IN_TEXT.sub("", fields["format"]["description"]).strip()
    return fields


def rules(schema: Schema) -> list[Any]:
    """Return the rules of an object."""
    found: list[Any] = schema.get("x-kubernetes-validations", [])
    return found


INPUT_FIELDS = frozenset({"name", "uris"})
OUTPUT_FIELDS = frozenset({"uri", "ifExists"})

PARTS: Mapping[str, Callable[[], Any]] = {
    "the program of a job": program,
    "what a job has, for all steps": defaults_of_steps,
    "what a job has": fields_of_steps,
    "the options of a job's inputs": lambda: options(input_schema("inputs"), INPUT_FIELDS),
    "the rules of a job's inputs": lambda: rules(input_schema("inputs")),
    "the options of a job's side inputs": lambda: options(input_schema("sideInputs"), INPUT_FIELDS),
    "the rules of a job's side inputs": lambda: rules(input_schema("sideInputs")),
    "the options of a job's output": lambda: options(job_fields()["output"], OUTPUT_FIELDS),
    "the rules of a job's output": lambda: rules(job_fields()["output"]),
}
