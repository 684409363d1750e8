from pathlib import Path

import pytest

from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.job_file import parse_job_file, read_job_file

JOB = "apiVersion: podreduce.dev/v1beta1\nkind: MapReduceJob\nmetadata: {name: wordcount}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: programs}\ndata:\n  job.py: |\n    class Job: ...\n"


def test_a_job_alone_has_no_config_maps() -> None:
    file = parse_job_file(JOB, "job.yaml")
    assert file.manifest["metadata"] == {"name": "wordcount"}
    assert file.config_maps == {}


@pytest.mark.parametrize("text", [f"{JOB}---\n{CONFIG_MAP}", f"{CONFIG_MAP}---\n{JOB}"], ids=["after", "before"])
def test_a_config_map_beside_the_job_is_found(text: str) -> None:
    assert parse_job_file(text, "job.yaml").config_maps == {"programs": {"job.py": "class Job: ...\n"}}


def test_json_is_read_too() -> None:
    text = '{"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceJob", "metadata": {"name": "wordcount"}}'
    assert parse_job_file(text, "job.json").manifest["metadata"]["name"] == "wordcount"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected one MapReduceJob"),
        (CONFIG_MAP, "expected one MapReduceJob"),
        (f"{JOB}---\n{JOB}", "found 2 \\(wordcount, wordcount\\)"),
        ("kind: Job\napiVersion: batch/v1\n", "apiVersion: must be"),
        ("a: [1", "job.yaml:1:6|job.yaml:2:1"),
        (f"{JOB}---\nkind: ConfigMap\ndata: []\n", "a ConfigMap needs"),
    ],
    ids=["empty", "no-job", "two-jobs", "other-kind", "no-yaml", "odd-config-map"],
)
def test_what_is_no_job_file_is_refused_with_its_name(text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words) as refusal:
        parse_job_file(text, "job.yaml")
    assert str(refusal.value).startswith("job.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"absent\.yaml: cannot be read: No such file"):
        read_job_file(str(tmp_path / "absent.yaml"))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="cannot be read: 'utf-8'"):
        read_job_file(str(path))
