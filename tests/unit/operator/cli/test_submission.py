"""What is submitted of a file or directory: the job, the modules beside it, its requirements."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.submission import Submission, read_submission
from tests.support.crd_cases import JOB_CRD
from tests.support.manifest_cases import ABSENT

PROGRAM = "class Words:\n    def map_func(self, key, value):\n        yield value, 1\n"
ASKED = Overrides(inputs=("s3://corpus/books/",), output="s3://corpus/counts/")


def make(directory: Path, files: Mapping[str, str]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    return directory


def job(**program: Any) -> str:
    changes = {"program.source": ABSENT, **{f"program.{name}": value for name, value in program.items()}}
    return json.dumps(JOB_CRD.case("job", changes=changes).manifest("words"))


def read(target: Path, overrides: Overrides = ASKED, **fields: Any) -> Submission:
    return read_submission(str(target), overrides, **fields)


def test_a_python_file_is_a_module_of_its_directory(tmp_path: Path) -> None:
    make(tmp_path, {"count_words.py": PROGRAM, "helper.py": ""})
    found = read(tmp_path / "count_words.py", class_name="Words")
    assert found.manifest["metadata"] == {"name": "count-words"}
    assert found.spec["program"] == {"module": "count_words", "className": "Words"}
    assert found.spec["input"] == {"uris": ["s3://corpus/books/"], "format": "Text"}
    assert (found.program, found.requirements) == (tmp_path, None)


def test_a_directory_is_its_job_py_under_its_own_name(tmp_path: Path) -> None:
    directory = make(tmp_path / "My Words", {"job.py": PROGRAM, "requirements.txt": ""})
    found = read(directory)
    assert found.manifest["metadata"] == {"name": "my-words"}
    assert (found.program, found.requirements) == (directory, directory / "requirements.txt")


def test_a_job_file_comes_before_a_python_file_and_keeps_what_it_says(tmp_path: Path) -> None:
    make(tmp_path, {"job.json": job(module="pack.words"), "job.py": "", "pack/words.py": PROGRAM})
    found = read(tmp_path, Overrides(assignments=("spec.runId=2",)))
    assert found.spec["program"] == {"module": "pack.words"}
    assert (found.spec["runId"], found.spec["output"]["uri"]) == ("2", "s3://corpus/counts/")
    assert found.program == tmp_path
    assert "backoffLimitPerTask" not in found.spec


@pytest.mark.parametrize(
    "program",
    [
        {"source": PROGRAM},
        {"module": "of_the_image"},
        {"module": "words", "archive": {"uri": "s3://a/b.zip", "digest": "d"}},
    ],
    ids=["source", "module of the image", "archive"],
)
def test_a_program_that_needs_no_archive_gets_none(program: dict[str, Any], tmp_path: Path) -> None:
    make(tmp_path, {"job.json": job(**program), "words.py": PROGRAM})
    assert read(tmp_path, Overrides()).program is None


def test_requirements_are_those_beside_the_program_unless_others_are_named(tmp_path: Path) -> None:
    wheels = [{"uri": "s3://jobs/a.whl", "digest": "d"}]
    make(tmp_path, {"job.json": job(source=PROGRAM, requirements=wheels), "requirements.txt": ""})
    assert read(tmp_path, Overrides()).requirements is None
    assert read(tmp_path, Overrides(), requirements=Path("other.txt")).requirements == Path("other.txt")


def test_config_maps_of_the_file_are_submitted_with_the_job(tmp_path: Path) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}, "data": {"job.py": PROGRAM}}
    reference = {"configMapKeyRef": {"name": "code", "key": "job.py"}}
    make(tmp_path, {"job.yaml": f"{json.dumps(config_map)}\n---\n{job(sourceFrom=reference)}"})
    assert read(tmp_path, Overrides()).others == (config_map,)


@pytest.mark.parametrize(
    ("name", "overrides", "why"),
    [
        ("", ASKED, "has none of job.yaml, job.yml, job.json, job.py"),
        ("my-words.py", ASKED, "is no name of a module"),
        ("words.py", Overrides(), "say what to read and where to write"),
        ("gone.yaml", ASKED, "cannot be read"),
    ],
)
def test_what_is_no_job_is_refused(name: str, overrides: Overrides, why: str, tmp_path: Path) -> None:
    make(tmp_path, {"my-words.py": PROGRAM, "words.py": PROGRAM})
    with pytest.raises(ManifestError, match=why):
        read(tmp_path / name, overrides)
