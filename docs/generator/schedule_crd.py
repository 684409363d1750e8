"""The parts of the CRD of schedules that are the specs of jobs and pipelines."""

import re
from pathlib import Path
from textwrap import dedent, indent

from docs.generator.tables import ROOT
from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES

CRDS = ROOT / "crds"
SCHEDULE_CRD = CRDS / SCHEDULES.file_name
TEMPLATE_SPEC = re.compile(r"(?P<indent> +)(# generated: the spec of a (?P<kind>\w+)\n).*?( +# end\n)", re.DOTALL)
NOTE = re.compile(r"^ *# (generated: .*|end)\n", re.MULTILINE)
"""A line around a generated part. In a copy there is no second one."""


def render(text: str) -> str:
    """Return the CRD of MapReduceSchedules, with the specs of what it makes as their own CRDs have them now."""
    specs = {names.kind: read_spec_text(CRDS / names.file_name) for names in (JOBS, PIPELINES)}

    def replacement(found: re.Match[str]) -> str:
        lines = indent(specs[found["kind"]], found["indent"])
        return f"{found['indent']}{found[2]}{lines}{found[4]}"

    return TEMPLATE_SPEC.sub(replacement, text)


def read_spec_text(crd: Path) -> str:
    """Return the schema of a kind's spec as its CRD's text has it."""
    text = crd.read_text(encoding="utf-8")
    spec = text[text.index("\n            spec:\n") + 1 : text.index("\n            status:\n") + 1]
    return dedent(NOTE.sub("", spec))
