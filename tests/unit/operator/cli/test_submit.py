"""The YAML that a dry run of `podreduce submit` prints, and what it uploads."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce_operator.cli.submit import FRESH_SECONDS, Upload, render_yaml, upload

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
