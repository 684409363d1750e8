"""The YAML that the pages show as a part of a job is a part of a valid job, and a pod can be made of its templates."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from podreduce.contract import program_files
from podreduce_operator.api.spec import decode_spec
from podreduce_operator.api.validation import validate_job
from podreduce_operator.pods.template_check import find_template_problem
from tests.support.crd_cases import JOB_CRD

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("programs.md", "submit.md")
MIB = 2**20


def read_examples(page: str) -> list[dict[str, Any]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [block for text in blocks if isinstance(block := yaml.safe_load(text), dict) and "spec" in block]


EXAMPLES = [(page, number, block) for page in PAGES for number, block in enumerate(read_examples(page))]


def test_the_pages_have_examples() -> None:
    assert {page for page, _, _ in EXAMPLES} == {*PAGES}


@pytest.mark.parametrize(("page", "number", "block"), EXAMPLES, ids=[f"{page}-{n}" for page, n, _ in EXAMPLES])
def test_an_example_is_valid(page: str, number: int, block: dict[str, Any]) -> None:
    manifest = JOB_CRD.case(f"{page}-{number}").manifest()
    manifest["spec"] |= block["spec"]
    spec = decode_spec(validate_job(manifest)["spec"])
    assert find_template_problem(spec) is None


def test_the_limits_of_a_program_are_those_of_the_code() -> None:
    text = " ".join((DOCS / "submit.md").read_text(encoding="utf-8").split())
    assert f"An archive or wheel has {program_files.MAX_FILE_BYTES // MIB} MiB at most" in text
    assert f"more than {program_files.MAX_ENTRIES:,} files" in text
    assert f"more than {program_files.MAX_UNPACKED_BYTES // 2**30} GiB" in text
