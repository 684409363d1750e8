"""What `podreduce submit` says: the YAML of a dry run, and the progress of a job in a cluster."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce_operator.cli.run import ExitStatus
from podreduce_operator.cli.submit import FRESH_SECONDS, Progress, Upload, render_yaml, upload

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n\t"), max_size=30)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda each: st.lists(each) | st.dictionaries(TEXTS, each),
    max_leaves=6,
)


@settings(max_examples=40)
@given(documents=st.lists(st.dictionaries(TEXTS, VALUES, min_size=1), min_size=1, max_size=3))
def test_yaml_reads_back_as_what_it_was(documents: list[dict[str, Any]]) -> None:
    assert list(yaml.safe_load_all(render_yaml(documents) + "\n")) == documents


def test_a_program_is_shown_as_its_author_wrote_it() -> None:
    assert render_yaml([{"source": "class Job:\n    pass\n"}]) == "source: |\n  class Job:\n      pass"


def job(run_id: str = "1", **status: Any) -> dict[str, Any]:
    metadata = {"name": "words", "namespace": "team"}
    return {"metadata": metadata, "spec": {"runId": "1"}, "status": {"runId": run_id, **status}}


def ended(kind: str, **status: Any) -> dict[str, Any]:
    condition = {"type": kind, "status": "True", "reason": "Why", "message": "because"}
    return job(phase=kind, conditions=[condition], **status)


def test_progress_is_told_when_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(job())
    mapping = job(phase="Mapping", map={"progress": "1/8"}, reduce={"progress": "0/?"})
    assert [progress.take(each) for each in (job("0"), mapping, mapping, ended("Complete"))] == [False] * 3 + [True]
    assert capsys.readouterr().err.splitlines() == [
        "mapreducejob/words: waiting for the operator",
        "mapreducejob/words: Mapping, map 1/8, reduce 0/?",
        "mapreducejob/words: Complete",
    ]


@pytest.mark.parametrize(
    ("job", "code", "said"),
    [
        (
            ended("Complete", output={"records": 2, "bytes": 3, "uri": "s3://a/b/"}),
            0,
            "complete: 2 records, 3 B in s3://a/b/",
        ),
        (ended("Failed"), 1, "failed: Why: because"),
    ],
)
def test_the_end_is_told_and_gives_the_exit_code(
    job: dict[str, Any], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Progress(job).report() is ExitStatus(code)
    assert said in "".join(capsys.readouterr())


def test_a_job_that_has_ended_already_is_not_run_again_and_says_how() -> None:
    assert (
        "its run 1 has ended already (Failed): to run again, --set spec.runId=NEW"
        in Progress(ended("Failed")).describe_applied()
    )
    assert Progress(job()).describe_applied() == "mapreducejob/words in namespace team is applied"


@pytest.mark.parametrize(
    ("stored", "age_seconds", "is_uploaded"),
    [
        (None, 0, True),
        (b"program", FRESH_SECONDS - 60, False),
        (b"program", FRESH_SECONDS + 60, True),
        (b"another", 0, True),
        (b"part", 0, True),
    ],
    ids=["absent", "young", "older-than-a-day", "of-other-content", "cut-off"],
)
def test_after_a_submission_the_file_is_there_and_young(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stored: bytes | None, age_seconds: float, *, is_uploaded: bool
) -> None:
    path = tmp_path / "words.zip"
    if stored is not None:
        path.write_bytes(stored)
        os.utime(path, (time.time() - age_seconds,) * 2)
    upload(Upload(data=b"program", uri=f"file://{path}"))
    assert path.read_bytes() == b"program"
    assert time.time() - path.stat().st_mtime < FRESH_SECONDS
    assert ("uploaded" in capsys.readouterr().err) == is_uploaded
